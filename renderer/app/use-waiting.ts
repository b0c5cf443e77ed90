import { useQuery } from '@tanstack/react-query';
import type { NeedsYouItem } from '#contract';
import { api } from '../lib/api.ts';

/** More than these are neither read nor told apart. */
const MOST = 100;

/** What waits for the user anywhere, the oldest first; at most 100 of it. */
export function useWaiting(): readonly NeedsYouItem[] {
  const { data } = useQuery(api.needsYou.list.queryOptions({ input: { state: 'waiting', limit: MOST } }));
  return data?.items ?? [];
}
