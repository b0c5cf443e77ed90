import { Anchor, Button, DataList, Group, Skeleton, Stack, Tabs, Text, Timeline } from '@mantine/core';
import { useClipboard } from '@mantine/hooks';
import { IconCheck, IconCopy } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { RuntimeEvent } from '#contract';
import { ShortId } from '../../components/copy.tsx';
import { DetailDrawer } from '../../components/detail-drawer.tsx';
import { ErrorCard } from '../../components/error-card.tsx';
import { RelativeTime } from '../../components/relative-time.tsx';
import { api } from '../../lib/api.ts';
import { formatClock, formatNumber } from '../../lib/format.ts';
import { eventSummary } from './event-summary.ts';
import { PayloadView } from './payload-view.tsx';

/** Events of one correlation that the lineage shows. */
const LINEAGE_LENGTH = 100;

interface EventDrawerProps {
  /** What the address says: the sequence, or the id of an event that is only told live. */
  reference: string;
  /** The event, if it is among the rows. */
  event: RuntimeEvent | undefined;
  onClose: () => void;
  onOpen: (event: RuntimeEvent) => void;
  onCorrelation: (correlationId: string) => void;
}

/** All about one event. */
export function EventDrawer({ reference, event: known, ...rest }: EventDrawerProps) {
  const sequence = /^[1-9][0-9]{0,15}$/.test(reference) ? Number(reference) : undefined;
  const read = useQuery({
    ...api.events.get.queryOptions({ input: { sequence: sequence ?? 1 } }),
    enabled: known === undefined && sequence !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const event = known ?? read.data;
  if (event !== undefined) return <EventDetails key={event.id} event={event} {...rest} />;
  return (
    <DetailDrawer title="Event" onClose={rest.onClose}>
      {sequence === undefined ? (
        <Text size="sm">This event was only told live and is no longer in the view.</Text>
      ) : read.isError ? (
        <ErrorCard
          error={read.error}
          what="The event could not be loaded"
          onRetry={() => void read.refetch()}
        />
      ) : (
        <Skeleton h={200} role="status" aria-label="Loading the event" />
      )}
    </DetailDrawer>
  );
}

function EventDetails({
  event,
  onClose,
  onOpen,
  onCorrelation,
}: Omit<EventDrawerProps, 'reference' | 'event'> & { event: RuntimeEvent }) {
  const { data, ...envelope } = event;
  const at = Date.parse(event.time);
  return (
    <DetailDrawer
      title={event.type}
      subtitle={
        <Group gap="xs">
          {Number.isNaN(at) ? event.time : <RelativeTime at={at} c="dimmed" />}
          <span aria-hidden>·</span>
          {event.sequence === 0
            ? 'told live, not in the log'
            : `number ${formatNumber(event.sequence)} of the log`}
        </Group>
      }
      actions={
        <>
          <CopyJson event={event} />
          <SubjectLink event={event} />
        </>
      }
      onClose={onClose}
    >
      <Tabs defaultValue="payload" keepMounted={false}>
        <Tabs.List mb="sm">
          <Tabs.Tab value="payload">Payload</Tabs.Tab>
          <Tabs.Tab value="envelope">Envelope</Tabs.Tab>
          <Tabs.Tab value="lineage">Lineage</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="payload">
          <PayloadView value={data} label="payload" />
        </Tabs.Panel>
        <Tabs.Panel value="envelope">
          <Envelope envelope={envelope} />
        </Tabs.Panel>
        <Tabs.Panel value="lineage">
          <Lineage event={event} onOpen={onOpen} onCorrelation={onCorrelation} />
        </Tabs.Panel>
      </Tabs>
    </DetailDrawer>
  );
}

/** The text is made when it is asked for: a large event would be turned into text with each drawing. */
function CopyJson({ event }: { event: RuntimeEvent }) {
  const clipboard = useClipboard({ timeout: 1500 });
  return (
    <Button
      variant="default"
      leftSection={clipboard.copied ? <IconCheck size={14} /> : <IconCopy size={14} />}
      onClick={() => clipboard.copy(JSON.stringify(event, null, 2))}
    >
      {clipboard.copied ? 'Copied' : 'Copy as JSON'}
    </Button>
  );
}

/** To the page of what the event is about. */
function SubjectLink({ event }: { event: RuntimeEvent }) {
  const { subject } = event;
  if (subject === undefined) return null;
  if (event.type.startsWith('session.') && event.type !== 'session.deleted') {
    return (
      <Button component={Link} to={`/sessions/${subject}`} variant="default">
        Open session
      </Button>
    );
  }
  if (event.type.startsWith('agent.') && event.type !== 'agent.deleted') {
    return (
      <Button component={Link} to={`/agents/${subject}`} variant="default">
        Open agent
      </Button>
    );
  }
  return null;
}

function Envelope({ envelope }: { envelope: Omit<RuntimeEvent, 'data'> }) {
  return (
    <DataList size="sm" labelWidth="130px">
      {Object.entries(envelope).map(([name, value]) => (
        <DataList.Item key={name}>
          <DataList.ItemLabel>{name}</DataList.ItemLabel>
          <DataList.ItemValue style={{ overflowWrap: 'anywhere' }}>{String(value)}</DataList.ItemValue>
        </DataList.Item>
      ))}
    </DataList>
  );
}

/** What belongs to the same request or turn, in order, and what caused this. */
function Lineage({
  event,
  onOpen,
  onCorrelation,
}: {
  event: RuntimeEvent;
  onOpen: (event: RuntimeEvent) => void;
  onCorrelation: (correlationId: string) => void;
}) {
  const related = useQuery(
    api.events.list.queryOptions({ input: { correlationId: event.correlationid, limit: LINEAGE_LENGTH } }),
  );
  const items = related.data?.items.toReversed() ?? [];
  const current = items.findIndex((item) => item.id === event.id);
  return (
    <Stack gap="sm">
      <DataList size="sm" labelWidth="110px">
        <DataList.Item>
          <DataList.ItemLabel>Correlation</DataList.ItemLabel>
          <DataList.ItemValue>
            <ShortId id={event.correlationid} label="Copy correlation id" />
          </DataList.ItemValue>
        </DataList.Item>
        <DataList.Item>
          <DataList.ItemLabel>Caused by</DataList.ItemLabel>
          <DataList.ItemValue>
            {event.causationid === undefined ? (
              'a request, or the runtime itself'
            ) : (
              <ShortId id={event.causationid} label="Copy causation id" />
            )}
          </DataList.ItemValue>
        </DataList.Item>
      </DataList>
      <Button variant="default" onClick={() => onCorrelation(event.correlationid)}>
        Show only this correlation
      </Button>
      {related.isError && (
        <ErrorCard
          error={related.error}
          what="The related events could not be loaded"
          onRetry={() => void related.refetch()}
        />
      )}
      {related.isPending && <Skeleton h={120} />}
      {items.length > 0 && (
        <Timeline active={current} bulletSize={14} lineWidth={2}>
          {items.map((item) => (
            <Timeline.Item
              key={item.id}
              title={
                item.id === event.id ? (
                  <Text size="sm" fw={600} component="span">
                    {item.type} (this one)
                  </Text>
                ) : (
                  <Anchor component="button" type="button" size="sm" onClick={() => onOpen(item)}>
                    {item.type}
                  </Anchor>
                )
              }
            >
              <Text size="xs" c="dimmed" lineClamp={2}>
                {formatClock(Date.parse(item.time))} · {eventSummary(item)}
              </Text>
            </Timeline.Item>
          ))}
        </Timeline>
      )}
    </Stack>
  );
}
