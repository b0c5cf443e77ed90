import { Button, Menu } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { toastError, toastSuccess } from '../../components/toast.tsx';
import { client } from '../../lib/api.ts';
import { downloadText } from '../../lib/download.ts';
import { formatCount, formatNumber } from '../../lib/format.ts';
import {
  EVENT_EXPORT_MEDIA_TYPES,
  type EventExportFormat,
  exportEvents,
  MAX_EXPORTED_EVENTS,
  readAllEvents,
} from './event-export.ts';
import { type EventFilter, eventListQueryOf } from './event-filter.ts';

const PAGE_SIZE = 100;

const FORMATS: { format: EventExportFormat; label: string }[] = [
  { format: 'ndjson', label: 'NDJSON, one event a line' },
  { format: 'json', label: 'JSON' },
  { format: 'csv', label: 'CSV' },
];

/** Saves the events of the log that match the filter as a file. */
export function EventExportMenu({ filter }: { filter: EventFilter }) {
  const save = useMutation({
    mutationFn: async (format: EventExportFormat) => {
      const { events, more } = await readAllEvents((cursor) =>
        client.events.list({
          ...eventListQueryOf(filter),
          limit: PAGE_SIZE,
          ...(cursor !== undefined && { cursor }),
        }),
      );
      const stamp = new Date().toISOString().slice(0, 19).replaceAll(':', '');
      downloadText({
        fileName: `events-${stamp}Z.${format}`,
        mediaType: EVENT_EXPORT_MEDIA_TYPES[format],
        text: exportEvents(events, format),
      });
      return { count: events.length, more };
    },
    onSuccess: ({ count, more }) =>
      toastSuccess(
        more
          ? `Exported the newest ${formatNumber(MAX_EXPORTED_EVENTS)} events of this filter; there are more`
          : `Exported ${formatCount(count, 'event')} of this filter`,
      ),
    onError: (error) => toastError(error, 'The events were not exported'),
  });
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button variant="default" leftSection={<IconDownload size={15} />} loading={save.isPending}>
          Export
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>All events of the log in this filter</Menu.Label>
        {FORMATS.map(({ format, label }) => (
          <Menu.Item key={format} onClick={() => save.mutate(format)}>
            {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
