import type { RuntimeEvent } from '#contract';

export type EventExportFormat = 'ndjson' | 'json' | 'csv';

/** A page holds 100 events; more than this many are not exported at once, and the console says so. */
export const MAX_EXPORTED_EVENTS = 10_000;

export const EVENT_EXPORT_MEDIA_TYPES: Record<EventExportFormat, string> = {
  ndjson: 'application/x-ndjson',
  json: 'application/json',
  csv: 'text/csv',
};

const COLUMNS = [
  'sequence',
  'time',
  'type',
  'subject',
  'priority',
  'correlationid',
  'causationid',
  'id',
  'source',
  'data',
] as const;

export function exportEvents(events: readonly RuntimeEvent[], format: EventExportFormat): string {
  switch (format) {
    case 'json':
      return `${JSON.stringify(events, null, 2)}\n`;
    case 'ndjson':
      return events.map((event) => `${JSON.stringify(event)}\n`).join('');
    case 'csv':
      return [COLUMNS.join(','), ...events.map(csvLine), ''].join('\r\n');
  }
}

function csvLine(event: RuntimeEvent): string {
  return COLUMNS.map((column) => {
    const value = column === 'data' ? JSON.stringify(event.data) : event[column];
    return cell(value === undefined ? '' : String(value));
  }).join(',');
}

/**
 * A cell as in RFC 4180. A text that a spreadsheet would run as a formula gets an apostrophe in front: what is in an event
 * may come from outside.
 */
function cell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Follows the cursor to the last page, or until there are `limit` events. */
export async function readAllEvents(
  readPage: (
    cursor: string | undefined,
  ) => Promise<{ items: RuntimeEvent[]; nextCursor?: string | undefined }>,
  limit: number = MAX_EXPORTED_EVENTS,
): Promise<{ events: RuntimeEvent[]; more: boolean }> {
  const events: RuntimeEvent[] = [];
  let cursor: string | undefined;
  do {
    const page = await readPage(cursor);
    events.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== undefined && events.length < limit);
  return { events: events.slice(0, limit), more: cursor !== undefined || events.length > limit };
}
