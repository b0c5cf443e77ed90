import { Text, type TextProps, Tooltip } from '@mantine/core';
import { formatIso, formatRelativeTime } from '../lib/format.ts';
import { useNow } from '../lib/now.ts';

/** How long ago `at` (ms since the epoch) is, kept up to date, with the exact time on hover. */
export function RelativeTime({ at, ...text }: { at: number } & TextProps) {
  const relative = useNow((now) => formatRelativeTime(at, now));
  const exact = formatIso(at);
  return (
    <Tooltip label={exact} openDelay={300}>
      <Text
        size="sm"
        inherit={false}
        {...text}
        component="time"
        dateTime={exact}
        style={{ whiteSpace: 'nowrap' }}
      >
        {relative}
      </Text>
    </Tooltip>
  );
}
