import { useEffect, useEffectEvent } from 'react';

/** What the keys of the frame do. Keys of a page (rows, Space) belong to the page. */
export type ShortcutAction =
  | { readonly kind: 'go'; readonly key: string }
  | { readonly kind: 'palette' | 'rail' | 'help' | 'filter' | 'refresh' };

/** The second key of a sequence must follow within so many ms. */
export const SEQUENCE_MS = 1_500;

export interface KeyPress {
  readonly key: string;
  /** Ctrl, or ⌘ on a Mac. */
  readonly mod: boolean;
  readonly alt: boolean;
  /** The key goes into a field or a dialog. */
  readonly typing: boolean;
  readonly at: number;
}

/** Makes the function that turns key presses into actions; it remembers a `g` that waits for its second key. */
export function createShortcutMatcher(
  goKeys: readonly string[],
): (press: KeyPress) => ShortcutAction | undefined {
  let prefixAt: number | undefined;
  return ({ key, mod, alt, typing, at }) => {
    const waiting = prefixAt !== undefined && at - prefixAt <= SEQUENCE_MS;
    prefixAt = undefined;
    if (alt) return undefined;
    if (mod) {
      if (key.toLowerCase() === 'k') return { kind: 'palette' };
      if (key.toLowerCase() === 'b') return { kind: 'rail' };
      return undefined;
    }
    if (typing) return undefined;
    if (waiting) return goKeys.includes(key) ? { kind: 'go', key } : undefined;
    switch (key) {
      case 'g':
        prefixAt = at;
        return undefined;
      case '?':
        return { kind: 'help' };
      case '/':
        return { kind: 'filter' };
      case 'r':
        return { kind: 'refresh' };
      default:
        return undefined;
    }
  };
}

/** Calls `act` for the keys of the frame, wherever the focus is. */
export function useShortcuts(goKeys: readonly string[], act: (action: ShortcutAction) => void): void {
  const newest = useEffectEvent(act);
  const keys = goKeys.join('');
  useEffect(() => {
    const match = createShortcutMatcher([...keys]);
    const onKey = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.isComposing) return;
      const action = match({
        key: event.key,
        mod: event.ctrlKey || event.metaKey,
        alt: event.altKey,
        typing: takesKeys(event.target),
        at: event.timeStamp,
      });
      if (action === undefined) return;
      event.preventDefault();
      newest(action);
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [keys]);
}

function takesKeys(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return (
    target.isContentEditable ||
    target.matches('input, textarea, select') ||
    target.closest('[role="dialog"], [role="menu"], [role="listbox"]') !== null
  );
}
