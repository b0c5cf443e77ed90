import { Card, Group, SegmentedControl, Skeleton, Text, Title } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { CatchBoundary } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { ErrorCard } from '../../components/error-card.tsx';
import { api } from '../../lib/api.ts';
import { useLiveInterval } from '../../lib/live-pause.ts';
import { TIME_RANGES, type TimeRange } from './overview-state.ts';

// The chart library is heavier than the rest of the console together: it comes after the first view.
const Charts = lazy(() => import('./charts.tsx').then((module) => ({ default: module.Charts })));

const CHARTS_HEIGHT = 138;

/** The figures over time, with the choice of how far back. */
export function ChartPanel({ range, onRange }: { range: TimeRange; onRange: (range: TimeRange) => void }) {
  const { minutes } = TIME_RANGES[range];
  const samples = useQuery(
    api.status.samples.queryOptions({
      input: { minutes },
      refetchInterval: useLiveInterval(minutes > 60 ? 60_000 : 5_000),
      placeholderData: keepPreviousData,
    }),
  );
  return (
    <Card component="section" aria-label="Figures over time" py="sm">
      <Group justify="space-between" mb="xs">
        <Title order={2} size="h5">
          Runtime
        </Title>
        <SegmentedControl
          size="xs"
          aria-label="Time range"
          value={range}
          onChange={(value) => onRange(value as TimeRange)}
          data={Object.entries(TIME_RANGES).map(([value, { label }]) => ({ value, label }))}
        />
      </Group>
      {samples.error && samples.data === undefined ? (
        <ErrorCard
          error={samples.error}
          what="The figures could not be loaded"
          onRetry={() => void samples.refetch()}
        />
      ) : samples.data?.items.length === 0 ? (
        <Text size="sm" c="dimmed" h={CHARTS_HEIGHT}>
          The first sample comes a few seconds after the start.
        </Text>
      ) : (
        // Charts that break, or that cannot be loaded, must not take the rest of the page with them.
        <CatchBoundary
          getResetKey={() => range}
          errorComponent={({ error, reset }) => (
            <ErrorCard error={error} what="The charts could not be drawn" onRetry={reset} />
          )}
        >
          <Suspense fallback={<Skeleton h={CHARTS_HEIGHT} />}>
            {samples.data === undefined ? (
              <Skeleton h={CHARTS_HEIGHT} />
            ) : (
              <Charts samples={samples.data.items} />
            )}
          </Suspense>
        </CatchBoundary>
      )}
    </Card>
  );
}
