import { useSyncExternalStore } from 'react';

/** One timer for all that counts time on the screen; it runs only while somebody looks. */
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;
let now = Date.now();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) {
    now = Date.now();
    timer = setInterval(() => {
      now = Date.now();
      for (const each of listeners) each();
    }, 1000);
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/**
 * What `derive` makes of the time (ms since the epoch), once a second. The component renders again only when the
 * result differs, so `derive` must return a primitive.
 */
export function useNow<T extends string | number | boolean | undefined>(derive: (now: number) => T): T {
  return useSyncExternalStore(subscribe, () => derive(now));
}
