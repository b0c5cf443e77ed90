import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { api, client } from '../../lib/api.ts';
import { onLiveResumed } from '../../lib/live-events.ts';
import { useLiveInterval } from '../../lib/live-pause.ts';
import { type FrameRow, withAllFrames, withFrames } from './frame-rows.ts';

/** How often the newest frames are asked for while somebody looks, in ms. */
const POLL_MS = 1000;

/** The protocol frames of an agent as they come, for as long as the component is there. */
export function useFrames(agentId: string): {
  rows: readonly FrameRow[];
  loaded: boolean;
  error: Error | null;
  refetch: () => void;
} {
  const queries = useQueryClient();
  const queryKey = [...api.agents.frames.key({ input: { id: agentId } }), 'tail'];
  // The stream was away: the runtime may have been started again, and then counts its frames from one.
  const readAll = useRef(true);
  useEffect(
    () =>
      onLiveResumed(() => {
        readAll.current = true;
      }),
    [],
  );
  const { data, error, refetch } = useQuery({
    queryKey,
    queryFn: async ({ signal }) => {
      const known = queries.getQueryData<readonly FrameRow[]>(queryKey) ?? [];
      const all = readAll.current;
      const after = all ? 0 : (known.at(-1)?.frame.number ?? 0);
      const { items } = await client.agents.frames({ id: agentId, after }, { signal });
      if (all) readAll.current = false;
      return all ? withAllFrames(known, items) : withFrames(known, items);
    },
    refetchInterval: useLiveInterval(POLL_MS),
    // The frames never change: to compare a thousand of them each second would be for nothing.
    structuralSharing: false,
    staleTime: 0,
  });
  return { rows: data ?? [], loaded: data !== undefined, error, refetch: () => void refetch() };
}
