import { ScrollArea, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { NeedsYouCard } from '../../components/needs-you-card.tsx';
import { api } from '../../lib/api.ts';

const HEIGHT_AT_MOST = 320;

/** What waits for the user in this session, right above where he writes. */
export function WaitingItems({
  sessionId,
  agentName,
  count,
  onAnswered,
}: {
  sessionId: string;
  agentName: string;
  /** As the session says; the list itself is read when there is something in it. */
  count: number;
  /** The user has answered one here. */
  onAnswered: () => void;
}) {
  const { data } = useQuery(
    api.needsYou.list.queryOptions({
      input: { state: 'waiting', sessionId, limit: 100 },
      enabled: count > 0,
    }),
  );
  const items = count > 0 ? (data?.items ?? []) : [];
  if (items.length === 0) return null;
  return (
    <ScrollArea.Autosize mah={HEIGHT_AT_MOST} type="auto" aria-label="Waits for you" role="region">
      <Stack gap="xs">
        {items.map((item) => (
          <NeedsYouCard key={item.id} item={item} agentName={agentName} onAnswered={onAnswered} />
        ))}
      </Stack>
    </ScrollArea.Autosize>
  );
}
