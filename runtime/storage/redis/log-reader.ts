import type { CheckedRead } from '../checked-input.ts';
import type { LogEntry } from '../storage.ts';
import type { DamagedRecords } from './damaged-records.ts';
import { entriesOf, parseCounter, sequenceOf } from './record-text.ts';
import type { RedisServer } from './redis-server.ts';

/** Entries in one answer. */
const ANSWER = 500;

/** Reads the entries of logs, and lets no damaged one pass. */
export class LogReader {
  readonly #server: RedisServer;
  readonly #damaged: DamagedRecords;

  constructor(server: RedisServer, damaged: DamagedRecords) {
    this.#server = server;
    this.#damaged = damaged;
  }

  async read<T>(log: string, query: CheckedRead): Promise<LogEntry<T>[]> {
    const { after, before, limit, reverse } = query;
    const entries: LogEntry<T>[] = [];
    let from = after + 1;
    let to = before - 1;
    let left = limit;
    const check = entriesOf(log);
    while (left > 0 && from <= to) {
      const count = Math.min(left, ANSWER);
      const page = await this.#page(log, from, to, count, reverse);
      if (page === undefined) return this.read<T>(log, query);
      const counter = page.counter === null ? undefined : parseCounter(log, page.counter);
      if (counter === undefined && (page.counter !== null || page.entries.length > 0)) this.#damaged.log(log);
      const through = counter?.through ?? 0;
      for (const [id, fields] of page.entries) {
        const sequence = sequenceOf(id);
        if (reverse) to = sequence - 1;
        else from = sequence + 1;
        // Trimmed already, and only there for a snapshot that is being read.
        if (sequence <= through) continue;
        left -= 1;
        const entry = check(id, fields[1] ?? NOTHING);
        if (entry === undefined) this.#damaged.entry(log, id.toString());
        else entries.push({ log, sequence, at: entry.at, value: JSON.parse(entry.json) as T });
      }
      if (page.entries.length < count || (reverse && to <= through)) break;
      if (!reverse) from = Math.max(from, through + 1);
    }
    return entries;
  }

  /**
   * The entries in a plain command and not by a script, which would turn every one round twice. One round trip. Undefined
   * when another generation is active: that is asked for behind the entries, so that they belong to the answer.
   */
  #page(log: string, from: number, to: number, count: number, reverse: boolean): Promise<Page | undefined> {
    return this.#server.persist(async () => {
      // As bytes, which is how they are summed, and take a third of the time.
      const reading = this.#server.plain((client, key) =>
        reverse
          ? client.xrevrangeBuffer(key(`m:${log}`), to, from, 'COUNT', count)
          : client.xrangeBuffer(key(`m:${log}`), from, to, 'COUNT', count),
      );
      if (this.#server.mayOvertake) await reading;
      const [entries, fields] = await Promise.all([reading, this.#server.fields([{ key: 'l', field: log }])]);
      return fields && { counter: fields[0] ?? null, entries };
    });
  }
}

const NOTHING = Buffer.alloc(0);

interface Page {
  counter: string | null;
  entries: [id: Buffer, fields: Buffer[]][];
}
