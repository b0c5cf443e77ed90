import { useEffect, useSyncExternalStore } from 'react';

/** A step of the breadcrumb; the last one is the page itself and has no address. */
export interface Crumb {
  readonly label: string;
  readonly to?: string;
}

const PRODUCT = 'SmallTalk Console';
let trail: readonly Crumb[] = [];
const listeners = new Set<() => void>();

function setTrail(next: readonly Crumb[]): void {
  trail = next;
  for (const listener of listeners) listener();
}

/** Names the page in the title of the document and in the breadcrumb of the frame. `PageHeader` calls it. */
export function usePageTitle(title: string, parents: readonly Crumb[] = []): void {
  const key = JSON.stringify([...parents, { label: title }]);
  useEffect(() => {
    setTrail(JSON.parse(key) as Crumb[]);
    document.title = `${title} · ${PRODUCT}`;
  }, [key, title]);
}

/** The breadcrumb of the page that is shown. */
export function useBreadcrumb(): readonly Crumb[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => trail,
  );
}
