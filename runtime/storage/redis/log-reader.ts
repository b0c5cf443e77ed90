import { type CheckedRead, MAXIMUM_SEQUENCE } from '../checked-input.ts';
import type { LogEntry } from '../storage.ts';
import type { DamagedRecords } from './damaged-records.ts';
import { type NumberedElement, numbered } from './log-elements.ts';
import { READ_LOG } from './read-scripts.ts';
import { logPrefix, parseTrimmed } from './record-text.ts';
import type { RedisServer } from './redis-server.ts';

/** Elements in one answer. */
const ANSWER = 500;
/** Characters of values that are turned into objects at once, which takes a third less than one by one. */
const AT_ONCE = 4 * 1024 * 1024;

/** Reads the entries of logs, and lets no damaged one pass. */
export class LogReader {
  readonly #server: RedisServer;
  readonly #damaged: DamagedRecords;

  constructor(server: RedisServer, damaged: DamagedRecords) {
    this.#server = server;
    this.#damaged = damaged;
  }

  async read<T>(log: string, { after, before, limit, reverse }: CheckedRead): Promise<LogEntry<T>[]> {
    const entries: LogEntry<T>[] = [];
    const jsons: string[] = [];
    // The page goes on behind this number, or before it.
    let edge = reverse ? before : after;
    for (;;) {
      const count = Math.min(limit - jsons.length, ANSWER);
      const { page, trimmed } = await this.#page(log, edge, count, reverse);
      const through = trimmed === null ? 0 : parseTrimmed(log, trimmed);
      if (through === undefined) this.#damaged.log(log);
      const least = Math.max(after, through ?? 0);
      for (const { sequence, entry } of reverse ? page.toReversed() : page) {
        edge = reverse ? Math.min(edge, sequence) : Math.max(edge, sequence);
        // What is not behind the least was trimmed already, and is only there for a snapshot that is being read.
        if (sequence <= least || sequence >= before || entry === 'gone') continue;
        if (entry === 'damaged') {
          this.#damaged.entry(log, sequence);
          continue;
        }
        jsons.push(entry.json);
        entries.push({ log, sequence, at: entry.at, value: undefined as T });
      }
      if (jsons.length === limit || page.length < count) break;
      if (reverse ? edge <= least + 1 : edge >= before - 1) break;
      if (!reverse) edge = Math.max(edge, least);
    }
    for (const [i, value] of valuesOf<T>(jsons).entries()) (entries[i] as LogEntry<T>).value = value;
    return entries;
  }

  /**
   * A page from one end of the log in a plain command: a script would turn each element round twice. Where in the list the
   * others are only a script can find out in one round trip; also which number a damaged one has if its neighbour before it
   * is not in the page, and what there is at one and the same time when the log is trimmed meanwhile.
   */
  async #page(
    log: string,
    edge: number,
    count: number,
    reverse: boolean,
  ): Promise<{ page: NumberedElement[]; trimmed: string | null }> {
    if (reverse ? edge > MAXIMUM_SEQUENCE : edge === 0) {
      const { found, trimmed } = await this.#server.read(
        (client, key) =>
          reverse ? client.lrange(key(`m:${log}`), -count, -1) : client.lrange(key(`m:${log}`), 0, count - 1),
        log,
      );
      const page = numbered(log, found, undefined);
      if (page !== undefined && !(reverse && page[0]?.entry === 'damaged') && !isOlder(page, log, trimmed))
        return { page, trimmed };
    }
    const args = [log, logPrefix(log), edge, count, reverse ? 1 : 0];
    const answer = await this.#server.onActive(READ_LOG, args);
    const [trimmed, elements, first] = answer as [string | null, string[], number];
    return { page: numbered(log, elements, first) ?? [], trimmed };
  }
}

/**
 * Whether something of a page was trimmed, which is asked for behind it. A commit that came in between may have appended
 * what is not in the page; more often the entries stay while a snapshot needs them.
 */
function isOlder(page: readonly NumberedElement[], log: string, trimmed: string | null): boolean {
  const through = trimmed === null ? 0 : (parseTrimmed(log, trimmed) ?? 0);
  return through > 0 && page.some(({ sequence, entry }) => sequence <= through && entry !== 'gone');
}

function valuesOf<T>(jsons: string[]): T[] {
  let characters = 0;
  for (const json of jsons) characters += json.length;
  if (characters <= AT_ONCE) return JSON.parse(`[${jsons.join(',')}]`) as T[];
  return jsons.map((json) => JSON.parse(json) as T);
}
