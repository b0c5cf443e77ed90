import { AppShell, Box } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useIsFetching, useQueryClient } from '@tanstack/react-query';
import { Outlet, useNavigate, useRouter, useRouterState } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useLayoutEffect, useState } from 'react';
import { DetailDrawerHost } from '../components/detail-drawer.tsx';
import { useWaitingInTitle } from '../lib/page-title.ts';
import { useFontScale, useRailCollapsed } from '../lib/preferences.ts';
import { PAGES, SETTINGS_PAGE } from './pages.ts';
import { Rail } from './rail.tsx';
import classes from './shell.module.css';
import { type ShortcutAction, useShortcuts } from './shortcuts.ts';
import { StatusBar } from './status-bar.tsx';
import { StorageBanner } from './storage-banner.tsx';
import { StreamStrip } from './stream-strip.tsx';
import { TopBar } from './top-bar.tsx';
import { useWaiting } from './use-waiting.ts';

/** The first page has been there for so long, in ms, before the others are loaded: they take nothing from its start. */
const FIRST_PAGE_RESTS_MS = 2_000;

const loadPalette = () => import('./palette.tsx');
const Palette = lazy(() => loadPalette().then((module) => ({ default: module.Palette })));
const ShortcutHelp = lazy(() =>
  import('./shortcut-help.tsx').then((module) => ({ default: module.ShortcutHelp })),
);

const ALL_PAGES = [...PAGES, SETTINGS_PAGE];

/** The frame around every page: rail, header, status bar, palette, keys. */
export function Shell() {
  const [collapsed, setCollapsed] = useRailCollapsed();
  const [helpOpened, help] = useDisclosure(false);
  const [paletteOpened, palette] = useDisclosure(false);
  // The code of palette and help is loaded with their first use, and then stays.
  const [used, setUsed] = useState({ help: false, palette: false });
  const navigate = useNavigate();
  const queries = useQueryClient();
  const waiting = useWaiting().length;
  useFontScaleOfDocument();
  useWaitingInTitle(waiting);

  useEffect(() => {
    // Not with the first load, but there before it is asked for: what is typed right after the key belongs into it. A
    // failure shows when it is really opened.
    const idle = requestIdleCallback(() => void loadPalette().catch(() => undefined));
    return () => cancelIdleCallback(idle);
  }, []);

  const openPalette = (): void => {
    // Until its code is there, no field of the page behind it may take what is typed for it.
    if (!used.palette && document.activeElement instanceof HTMLElement) document.activeElement.blur();
    setUsed((current) => ({ ...current, palette: true }));
    palette.open();
  };
  const openHelp = (): void => {
    setUsed((current) => ({ ...current, help: true }));
    help.open();
  };

  const act = (action: ShortcutAction): void => {
    switch (action.kind) {
      case 'go': {
        const page = ALL_PAGES.find((each) => each.key === action.key);
        if (page !== undefined) void navigate({ to: page.to });
        return;
      }
      case 'palette':
        openPalette();
        return;
      case 'rail':
        setCollapsed(!collapsed);
        return;
      case 'help':
        openHelp();
        return;
      case 'filter':
        // A page marks its filter with this attribute; one without a filter has none.
        document.querySelector<HTMLElement>('main [data-page-filter]')?.focus();
        return;
      case 'refresh':
        void queries.invalidateQueries();
        return;
    }
  };
  useShortcuts(
    ALL_PAGES.map((page) => page.key),
    act,
  );

  return (
    <AppShell
      layout="alt"
      header={{ height: 44 }}
      navbar={{ width: collapsed ? 56 : 220, breakpoint: 0 }}
      footer={{ height: 24 }}
      transitionDuration={0}
    >
      <a href="#content" className={classes.skip}>
        Skip to the content
      </a>
      <AppShell.Navbar className={classes.rail ?? ''}>
        <Rail collapsed={collapsed} waiting={waiting} onToggle={() => setCollapsed(!collapsed)} />
      </AppShell.Navbar>
      <AppShell.Header className={classes.bar ?? ''}>
        <TopBar onSearch={openPalette} onHelp={openHelp} />
      </AppShell.Header>
      <AppShell.Main className={classes.main ?? ''}>
        <StreamStrip />
        <StorageBanner />
        <Box flex={1} mih={0}>
          <DetailDrawerHost>
            <Box id="content" tabIndex={-1} className={classes.page ?? ''}>
              <Outlet />
            </Box>
          </DetailDrawerHost>
        </Box>
      </AppShell.Main>
      <AppShell.Footer className={classes.bar ?? ''}>
        <StatusBar />
      </AppShell.Footer>
      <PageLoader />
      <Suspense fallback={null}>
        {used.palette && <Palette opened={paletteOpened} onClose={palette.close} onHelp={openHelp} />}
        {used.help && <ShortcutHelp opened={helpOpened} onClose={help.close} />}
      </Suspense>
    </AppShell>
  );
}

/**
 * Loads the code of every page once the first one and its data are there. A page that had to be fetched after the runtime
 * has stopped could not be shown, and the router would reload the window into the browser's own error page.
 */
function PageLoader() {
  const router = useRouter();
  const shown = useRouterState({ select: (state) => state.status === 'idle' });
  const resting = useIsFetching() === 0 && shown;
  const [loaded, setLoaded] = useState(false);
  useEffect(() => {
    if (loaded || !resting) return;
    const timer = setTimeout(() => {
      for (const route of Object.values(router.routesById)) void router.loadRouteChunk(route);
      setLoaded(true);
    }, FIRST_PAGE_RESTS_MS);
    return () => clearTimeout(timer);
  }, [loaded, resting, router]);
  return null;
}

/** All sizes are in rem, so that the size of the root's text scales the whole console. */
function useFontScaleOfDocument(): void {
  const [scale] = useFontScale();
  useLayoutEffect(() => {
    document.documentElement.style.fontSize = scale === 100 ? '' : `${scale}%`;
  }, [scale]);
}
