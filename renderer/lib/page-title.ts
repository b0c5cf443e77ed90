import { useEffect, useSyncExternalStore } from 'react';

/** A step of the breadcrumb; the last one is the page itself and has no address. */
export interface Crumb {
  readonly label: string;
  readonly to?: string;
}

const PRODUCT = 'SmallTalk Console';
let trail: readonly Crumb[] = [];
let waiting = 0;
const listeners = new Set<() => void>();

function setTrail(next: readonly Crumb[]): void {
  trail = next;
  document.title = documentTitle(next.at(-1)?.label ?? '', waiting);
  for (const listener of listeners) listener();
}

/** What the window is called: how many items wait for the user, the page, the product. */
export function documentTitle(page: string, count: number): string {
  const name = page === '' ? PRODUCT : `${page} · ${PRODUCT}`;
  return count > 0 ? `(${count}) ${name}` : name;
}

/** Names the page in the title of the document and in the breadcrumb of the frame. `PageHeader` calls it. */
export function usePageTitle(title: string, parents: readonly Crumb[] = []): void {
  const key = JSON.stringify([...parents, { label: title }]);
  useEffect(() => setTrail(JSON.parse(key) as Crumb[]), [key]);
}

/** Puts the number of items that wait for the user before every title: it is read there from another tab. The frame calls it. */
export function useWaitingInTitle(count: number): void {
  useEffect(() => {
    waiting = count;
    document.title = documentTitle(trail.at(-1)?.label ?? '', waiting);
  }, [count]);
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
