import '@mantine/charts/styles.css';
import { Sparkline } from '@mantine/charts';
import type { Backup } from '#contract';
import { formatBytes } from '../../lib/format.ts';

/** How the size of the archives has grown, the oldest on the left. `backups` stand newest first. */
export function SizeTrend({ backups }: { backups: readonly Backup[] }) {
  const sizes = backups.map((backup) => backup.sizeBytes).toReversed();
  const [first = 0] = sizes;
  const last = sizes.at(-1) ?? 0;
  return (
    <Sparkline
      h={28}
      data={sizes}
      color="petrol.5"
      curveType="linear"
      strokeWidth={1.5}
      fillOpacity={0.15}
      role="img"
      aria-label={`Size of the archives: from ${formatBytes(first)} to ${formatBytes(last)}`}
    />
  );
}
