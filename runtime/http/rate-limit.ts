import { isIP } from 'node:net';
import type { Clock } from '../base/clock.ts';

/** Clients that are counted at once; when there are more, those that were first seen longest ago are forgotten. */
const CLIENT_LIMIT = 10_000;

export interface RateLimiter {
  /** Counts a request; `retryAfterSeconds` is set when it is one too many. */
  take(address: string): { retryAfterSeconds?: number };
}

/** At most `maxRequests` of one client in each window of `windowMs`. */
export function createRateLimiter(options: {
  windowMs: number;
  maxRequests: number;
  clock: Clock;
}): RateLimiter {
  const { windowMs, maxRequests, clock } = options;
  const windows = new Map<string, { startedAt: number; count: number }>();

  return {
    take(address) {
      const now = clock.monotonic();
      const key = networkOf(address);
      let window = windows.get(key);
      if (window === undefined || now - window.startedAt >= windowMs) {
        window = { startedAt: now, count: 0 };
        // Deleted first, so that the map stays in the order of the starts and its first is the one to forget.
        windows.delete(key);
        windows.set(key, window);
        if (windows.size > CLIENT_LIMIT) windows.delete(windows.keys().next().value ?? '');
      }
      window.count += 1;
      if (window.count <= maxRequests) return {};
      return { retryAfterSeconds: Math.max(1, Math.ceil((window.startedAt + windowMs - now) / 1000)) };
    },
  };
}

/** An IPv6 client owns a whole /64 and could use a fresh address for each request; so all of it counts as one. */
function networkOf(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups =
    tail === undefined ? left : [...left, ...Array(8 - left.length - right.length).fill('0'), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
