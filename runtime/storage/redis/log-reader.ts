import type { CheckedRead } from '../checked-input.ts';
import type { LogEntry } from '../storage.ts';
import type { DamagedRecords } from './damaged-records.ts';
import { entriesOf, parseCounter } from './record-text.ts';
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
      const active = this.#server.active;
      const count = Math.min(left, ANSWER);
      const page = await this.#page(log, from, to, count, reverse);
      // Asked for last: what was read before belongs to the generation that is still active then.
      if (page.active !== active) {
        this.#server.follow(page.active);
        return this.read<T>(log, query);
      }
      const counter = page.counter === null ? undefined : parseCounter(log, page.counter);
      if (counter === undefined && (page.counter !== null || page.entries.length > 0)) this.#damaged.log(log);
      const through = counter?.through ?? 0;
      for (const [id, fields] of page.entries) {
        const sequence = Number.parseInt(id, 10);
        if (reverse) to = sequence - 1;
        else from = sequence + 1;
        // Trimmed already, and only there for a snapshot that is being read.
        if (sequence <= through) continue;
        left -= 1;
        const entry = check(id, fields[1] ?? '');
        if (entry === undefined) this.#damaged.entry(log, id);
        else entries.push({ log, sequence, at: entry.at, value: JSON.parse(entry.json) as T });
      }
      if (page.entries.length < count || (reverse && to <= through)) break;
      if (!reverse) from = Math.max(from, through + 1);
    }
    return entries;
  }

  /** In plain commands and not by a script, which would turn every entry round twice. One round trip. */
  async #page(log: string, from: number, to: number, count: number, reverse: boolean): Promise<Page> {
    const [counter, entries, active] = await this.#server.pipeline((pipeline, key) => {
      pipeline.hget(key('l'), log);
      if (reverse) pipeline.xrevrange(key(`m:${log}`), to, from, 'COUNT', count);
      else pipeline.xrange(key(`m:${log}`), from, to, 'COUNT', count);
    });
    return { counter, entries, active } as Page;
  }
}

interface Page {
  counter: string | null;
  entries: [id: string, fields: string[]][];
  active: string;
}
