import {
  ActionIcon,
  Box,
  CloseButton,
  Group,
  ScrollArea,
  Splitter,
  Stack,
  Text,
  Title,
  Tooltip,
} from '@mantine/core';
import { useLocalStorage } from '@mantine/hooks';
import { IconArrowsDiagonal } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { createContext, type ReactNode, use, useEffect, useEffectEvent, useMemo, useState } from 'react';
import { createPortal } from 'react-dom';
import classes from './detail-drawer.module.css';

const WIDTH = { least: 420, first: 480, most: 720 };

interface DrawerHost {
  /** Where the drawer is drawn; null while there is none. */
  readonly element: HTMLElement | null;
  /** Makes room for a drawer. Returns the function that gives it back. */
  claim(): () => void;
}

const DrawerHostContext = createContext<DrawerHost | undefined>(undefined);

/**
 * The frame around a page, with room for a {@link DetailDrawer} on its right. The drawer stands beside the page and not
 * over it: page and drawer can be used at the same time, which is what non-modal is for.
 */
export function DetailDrawerHost({ children }: { children: ReactNode }) {
  const [claims, setClaims] = useState(0);
  const [element, setElement] = useState<HTMLElement | null>(null);
  const [width, setWidth] = useLocalStorage({ key: 'smalltalk.drawer-width', defaultValue: WIDTH.first });
  const host = useMemo<DrawerHost>(
    () => ({
      element,
      claim() {
        setClaims((count) => count + 1);
        return () => setClaims((count) => count - 1);
      },
    }),
    [element],
  );
  const open = claims > 0;
  return (
    <DrawerHostContext value={host}>
      <Splitter
        h="100%"
        withHandle={false}
        lineSize={1}
        step="16px"
        shiftStep="64px"
        sizes={open ? [100, `${width}px`] : [100]}
        onSizeChange={([, drawer]) => {
          if (typeof drawer === 'string') setWidth(Math.round(Number.parseFloat(drawer)));
        }}
        classNames={{ pane: classes.pane ?? '', handle: classes.handle ?? '' }}
      >
        <Splitter.Pane defaultSize={100} min={open ? '320px' : undefined}>
          {children}
        </Splitter.Pane>
        {open && (
          <Splitter.Pane defaultSize={`${WIDTH.first}px`} min={`${WIDTH.least}px`} max={`${WIDTH.most}px`}>
            <Box ref={setElement} h="100%" />
          </Splitter.Pane>
        )}
      </Splitter>
    </DrawerHostContext>
  );
}

/**
 * The details of one thing, right of the page, 420 to 720 pixels wide, resizable by mouse and by keyboard. Escape and
 * the close button call `onClose`; which thing is shown belongs into the address of the page.
 */
export function DetailDrawer({
  title,
  beside,
  subtitle,
  actions,
  fullPage,
  onClose,
  children,
}: {
  title: string;
  beside?: ReactNode;
  subtitle?: ReactNode;
  actions?: ReactNode;
  /** The address of the same on a page of its own. */
  fullPage?: string;
  onClose: () => void;
  children: ReactNode;
}) {
  const host = use(DrawerHostContext);
  if (host === undefined) throw new Error('DetailDrawer must be inside DetailDrawerHost');
  const { claim, element } = host;

  // Once for as long as the drawer is there: `claim` changes with the element that the claim makes appear.
  const claimOnce = useEffectEvent(() => claim());
  useEffect(() => claimOnce(), []);

  const close = useEffectEvent(onClose);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== 'Escape' || event.defaultPrevented || belongsToOverlay(event.target)) return;
      close();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, []);

  if (element === null) return null;
  return createPortal(
    <Stack component="aside" aria-label={title} gap={0} h="100%" className={classes.drawer ?? ''}>
      <Stack gap="xs" p="md" className={classes.head ?? ''}>
        <Group justify="space-between" wrap="nowrap" gap="sm">
          <Group gap="sm" wrap="nowrap" miw={0}>
            <Title order={2} size="h4" lineClamp={1} title={title}>
              {title}
            </Title>
            {beside}
          </Group>
          <Group gap={4} wrap="nowrap">
            {fullPage !== undefined && (
              <Tooltip label="Open full page">
                <ActionIcon
                  component={Link}
                  to={fullPage}
                  variant="subtle"
                  color="gray"
                  aria-label="Open full page"
                >
                  <IconArrowsDiagonal size={16} />
                </ActionIcon>
              </Tooltip>
            )}
            <CloseButton aria-label="Close details" onClick={onClose} />
          </Group>
        </Group>
        {subtitle !== undefined && (
          <Text size="sm" c="dimmed" component="div">
            {subtitle}
          </Text>
        )}
        {actions !== undefined && <Group gap={6}>{actions}</Group>}
      </Stack>
      <ScrollArea flex={1} mih={0} scrollbars="y" type="auto">
        <Box p="md">{children}</Box>
      </ScrollArea>
    </Stack>,
    element,
  );
}

/** Escape in a dialog, a menu or a list box is theirs. */
function belongsToOverlay(target: EventTarget | null): boolean {
  return (
    target instanceof Element &&
    target.closest('[role="dialog"], [role="menu"], [role="listbox"], [aria-expanded="true"]') !== null
  );
}
