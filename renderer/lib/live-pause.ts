import { useSyncExternalStore } from 'react';

/** Whether the pages of this window follow what happens, or stand still so that the user can read. */
let pausedAt: number | undefined;
const listeners = new Set<() => void>();

/** Stops or resumes the following. Nothing is lost meanwhile: resuming reads everything again. */
export function setLivePaused(paused: boolean): void {
  if (paused === (pausedAt !== undefined)) return;
  pausedAt = paused ? Date.now() : undefined;
  for (const listener of listeners) listener();
}

/** When it was paused, in ms since the epoch; undefined while live. Not reactive. */
export function livePausedAt(): number | undefined {
  return pausedAt;
}

/** Calls back with each change. Returns the function that ends it. */
export function onLivePauseChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** When it was paused, in ms since the epoch; undefined while live. */
export function useLivePausedAt(): number | undefined {
  return useSyncExternalStore(onLivePauseChange, livePausedAt);
}

/** The interval of a query that is polled, in ms; none while paused. */
export function useLiveInterval(intervalMs: number): number | false {
  return useLivePausedAt() === undefined && intervalMs;
}
