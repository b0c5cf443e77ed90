import { useLocalStorage } from '@mantine/hooks';

/** What the user chose for this window only: kept in the browser, never sent to the runtime. */
export const FONT_SCALES = [90, 100, 110, 125, 150] as const;
export type FontScale = (typeof FONT_SCALES)[number];

const FONT_SCALE_KEY = 'smalltalk.font-scale';
const RAIL_KEY = 'smalltalk.rail-collapsed';

/** The size of all text in percent of what the browser is set to. */
export function useFontScale(): [FontScale, (scale: FontScale) => void] {
  const [stored, store] = useLocalStorage<number>({
    key: FONT_SCALE_KEY,
    defaultValue: 100,
    getInitialValueInEffect: false,
  });
  return [FONT_SCALES.find((scale) => scale === stored) ?? 100, store];
}

/** Whether the rail shows icons only; at first where the window is narrow. */
export function useRailCollapsed(): [boolean, (collapsed: boolean) => void] {
  const [collapsed, setCollapsed] = useLocalStorage<boolean>({
    key: RAIL_KEY,
    defaultValue: window.innerWidth < 1100,
    getInitialValueInEffect: false,
  });
  return [collapsed, setCollapsed];
}

/** A hint that the user has closed for good. */
export function useDismissed(hint: string): [boolean, (dismissed: boolean) => void] {
  const [dismissed, setDismissed] = useLocalStorage<boolean>({
    key: `smalltalk.dismissed.${hint}`,
    defaultValue: false,
    getInitialValueInEffect: false,
  });
  return [dismissed, setDismissed];
}
