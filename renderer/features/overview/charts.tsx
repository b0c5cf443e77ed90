import '@mantine/charts/styles.css';
import { AreaChart } from '@mantine/charts';
import { Box, Group, SimpleGrid, Text } from '@mantine/core';
import type { Sample } from '#contract';
import {
  formatBytes,
  formatClock,
  formatDuration,
  formatFigure,
  formatHourAndMinute,
  formatNumber,
} from '../../lib/format.ts';
import { downsample } from './downsample.ts';

/** More points than this cannot be told apart at the width of a chart. */
const POINTS = 180;

interface Chart {
  readonly key: 'eventsPerSecond' | 'propagationP95Ms' | 'storageP95Ms' | 'memoryBytes';
  readonly title: string;
  readonly format: (value: number) => string;
  /** Shorter, for the axis. */
  readonly tick: (value: number) => string;
}

const CHARTS: readonly Chart[] = [
  { key: 'eventsPerSecond', title: 'Events per second', format: formatFigure, tick: formatFigure },
  { key: 'propagationP95Ms', title: 'Propagation, p95', format: formatDuration, tick: duration },
  { key: 'storageP95Ms', title: 'Storage, p95', format: formatDuration, tick: duration },
  { key: 'memoryBytes', title: 'Memory', format: formatBytes, tick: mebibytes },
];

function duration(milliseconds: number): string {
  return milliseconds < 1_000
    ? `${formatFigure(milliseconds)} ms`
    : `${formatFigure(milliseconds / 1_000)} s`;
}

function mebibytes(value: number): string {
  return `${formatNumber(value / 1024 ** 2)} MiB`;
}

/** The four figures over time; the pointer stands at the same moment in all of them. */
export function Charts({ samples }: { samples: readonly Sample[] }) {
  const data = downsample(samples, POINTS).map((sample) => ({ ...sample }));
  return (
    <SimpleGrid type="container" cols={{ base: 2, '760px': 4 }} spacing="md" pb="xs">
      {CHARTS.map((chart) => {
        const newest = samples.at(-1)?.[chart.key];
        return (
          <Box key={chart.key} miw={0}>
            <Group justify="space-between" wrap="nowrap" gap={4} mb={4}>
              <Text size="xs" c="dimmed" truncate>
                {chart.title}
              </Text>
              <Text size="xs" fw={600} className="tabular" style={{ whiteSpace: 'nowrap' }}>
                {newest === undefined ? '–' : chart.format(newest)}
              </Text>
            </Group>
            <AreaChart
              h={104}
              data={data}
              dataKey="at"
              series={[{ name: chart.key, label: chart.title, color: 'petrol.5' }]}
              curveType="linear"
              strokeWidth={1.5}
              fillOpacity={0.15}
              withDots={false}
              withGradient={false}
              gridAxis="none"
              tickLine="none"
              valueFormatter={chart.format}
              tooltipAnimationDuration={0}
              xAxisProps={{
                tickFormatter: (at: number) => formatHourAndMinute(at),
                minTickGap: 40,
                height: 20,
                tickMargin: 2,
              }}
              yAxisProps={{
                width: 54,
                tickCount: 3,
                domain: [0, 'auto'],
                tickFormatter: chart.tick,
                tickMargin: 4,
              }}
              tooltipProps={{ labelFormatter: (at) => (typeof at === 'number' ? formatClock(at) : '') }}
              areaChartProps={{ syncId: 'overview', margin: { top: 6, right: 12, bottom: 0, left: 0 } }}
              areaProps={{ isAnimationActive: false }}
              role="img"
              aria-label={`${chart.title}: ${newest === undefined ? 'no samples' : `now ${chart.format(newest)}`}`}
            />
          </Box>
        );
      })}
    </SimpleGrid>
  );
}
