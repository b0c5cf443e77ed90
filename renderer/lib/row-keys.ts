import { type KeyboardEvent as ReactKeyboardEvent, useEffect, useEffectEvent, useRef, useState } from 'react';

export interface RowProps {
  readonly 'data-row': number;
  readonly tabIndex: 0 | -1;
  readonly onFocus: () => void;
  readonly onKeyDown: (event: ReactKeyboardEvent<HTMLElement>) => void;
}

/** Where a key takes the cursor of a list; undefined for a key that is none of the list's. */
export function rowAfterKey(key: string, from: number, count: number): number | undefined {
  const last = count - 1;
  switch (key) {
    case 'j':
    case 'ArrowDown':
      return Math.min(last, from + 1);
    case 'k':
    case 'ArrowUp':
      return Math.max(0, from - 1);
    case 'Home':
      return 0;
    case 'End':
      return last;
    default:
      return undefined;
  }
}

/**
 * The keyboard of a list of rows: `j`/`k` from anywhere on the page, arrows within, Enter opens. One row at a time is
 * reachable by Tab. `onMove` is called when the cursor goes to another row, so that an open drawer can follow.
 */
export function useRowKeys(options: {
  count: number;
  onOpen: (index: number) => void;
  onMove?: (index: number) => void;
}): { bodyRef: React.RefObject<HTMLTableSectionElement | null>; rowProps: (index: number) => RowProps } {
  const bodyRef = useRef<HTMLTableSectionElement>(null);
  const [cursor, setCursor] = useState(0);
  const current = Math.min(cursor, Math.max(0, options.count - 1));

  const focusRow = (index: number): void => {
    setCursor(index);
    bodyRef.current?.querySelector<HTMLElement>(`[data-row="${index}"]`)?.focus();
    options.onMove?.(index);
  };

  const onPageKey = useEffectEvent((event: KeyboardEvent) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if ((event.key !== 'j' && event.key !== 'k') || options.count === 0 || takesLetters(event.target)) return;
    event.preventDefault();
    const inside = bodyRef.current?.contains(document.activeElement) ?? false;
    focusRow(inside ? (rowAfterKey(event.key, current, options.count) ?? current) : current);
  });
  useEffect(() => {
    const listener = (event: KeyboardEvent): void => onPageKey(event);
    window.addEventListener('keydown', listener);
    return () => window.removeEventListener('keydown', listener);
  }, []);

  return {
    bodyRef,
    rowProps: (index) => ({
      'data-row': index,
      tabIndex: index === current ? 0 : -1,
      onFocus: () => setCursor(index),
      onKeyDown: (event) => {
        // A key in a button of the row is the button's.
        if (event.target !== event.currentTarget) return;
        if (event.key === 'Enter') {
          event.preventDefault();
          options.onOpen(index);
          return;
        }
        const next = event.key.length === 1 ? undefined : rowAfterKey(event.key, index, options.count);
        if (next === undefined) return;
        event.preventDefault();
        focusRow(next);
      },
    }),
  };
}

function takesLetters(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable ||
      target.closest('input, textarea, select, [role="dialog"], [role="menu"], [role="listbox"]') !== null)
  );
}
