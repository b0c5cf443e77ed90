import { valueChecksum } from '../checksum.ts';
import type { StorageFault, StoredDocument } from '../storage.ts';
import { numbered } from './log-elements.ts';
import {
  INSPECT_DOCUMENT,
  INSPECT_ENTRIES,
  MEND_INDEX,
  MEND_LOG,
  REMOVE_STRAYS,
  SCAN_HEADS,
  SET_DOCUMENT_ASIDE,
  SET_ENTRY_ASIDE,
} from './read-scripts.ts';
import { type Head, logPrefix, parseHead } from './record-text.ts';
import type { RedisServer } from './redis-server.ts';

/** A member of an index that leads to a document which says otherwise, or to none. */
export interface Stray {
  /** The sorted set, without the generation. */
  set: string;
  member: string;
  /** What the document said when it was found out; '' for none. */
  head: string;
}

/** Undefined when head or value is damaged. */
export function soundHead(
  collection: string,
  id: string,
  head: string | null,
  value: string | null,
): Head | undefined {
  const parsed = head === null ? undefined : parseHead(collection, id, head);
  return parsed !== undefined && value !== null && valueChecksum(value) === parsed.valueCrc
    ? parsed
    : undefined;
}

export function toDocument<T>(collection: string, id: string, head: Head, value: string): StoredDocument<T> {
  const { version, expiresAt } = head;
  const document = { collection, id, version, value: JSON.parse(value) as T };
  return expiresAt === null ? document : { ...document, expiresAt };
}

/** Reports what failed its checksum, once, and takes it out of the way of everybody; the bytes are kept in `:damaged`. */
export class DamagedRecords {
  readonly #server: RedisServer;
  readonly #onFault: ((fault: StorageFault) => void) | undefined;
  /** What was reported and is not out of the way yet. */
  readonly #reported = new Set<string>();
  readonly #underWay = new Set<Promise<void>>();

  constructor(server: RedisServer, onFault: ((fault: StorageFault) => void) | undefined) {
    this.#server = server;
    this.#onFault = onFault;
  }

  /** What a script has found and dealt with by itself. */
  found(records: string[]): void {
    for (const record of records) {
      if (!this.#reported.has(record)) this.#tell(record, setAsideWords(record));
    }
  }

  document(collection: string, id: string, active = true): void {
    this.#once(`document ${collection}/${id}`, active, async () => {
      const [head, value, print] = (await this.#server.onActive(INSPECT_DOCUMENT, [collection, id])) as [
        string | null,
        string | null,
        string,
      ];
      if (soundHead(collection, id, head, value) !== undefined) return;
      await this.#server.onActive(SET_DOCUMENT_ASIDE, [collection, id, print]);
    });
  }

  entry(log: string, sequence: number, active = true): void {
    this.#once(`entry ${log}#${sequence}`, active, async () => {
      const prefix = logPrefix(log);
      const [index, first, ...found] = (await this.#server.onActive(INSPECT_ENTRIES, [
        log,
        prefix,
        sequence - 1,
      ])) as [number, number, ...string[]];
      const elements = found.filter((_, i) => i % 2 === 0);
      for (const [i, one] of (numbered(log, elements, first) ?? []).entries()) {
        if (one.entry !== 'damaged' || one.sequence !== sequence) continue;
        const print = found[2 * i + 1] as string;
        await this.#server.onActive(SET_ENTRY_ASIDE, [log, prefix, index + i, sequence, print]);
      }
    });
  }

  log(log: string, active = true): void {
    this.#once(`log ${log}`, active, async () => {
      await this.#server.onActive(MEND_LOG, [log, logPrefix(log)]);
    });
  }

  /** Takes strays out, and then looks through the whole collection for documents that an index has lost. */
  strays(collection: string, strays: Stray[]): void {
    this.#background(async () => {
      const args = strays.flatMap(({ set, member, head }) => [set, member, head]);
      await this.#server.onActive(REMOVE_STRAYS, [collection, ...args]);
      await this.#mend(collection);
    });
  }

  /** Resolves when everything found so far has been dealt with. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  async #mend(collection: string): Promise<void> {
    let cursor = '0';
    do {
      const [next, ...page] = (await this.#server.onActive(SCAN_HEADS, [collection, cursor])) as string[];
      const sound: string[] = [];
      for (let i = 0; i < page.length; i += 2) {
        const [id, head] = page.slice(i, i + 2) as [string, string];
        if (parseHead(collection, id, head) === undefined) this.document(collection, id);
        else sound.push(id, head);
      }
      const mended = (await this.#server.onActive(MEND_INDEX, [collection, ...sound])) as string[];
      for (const id of mended) {
        const record = `index of ${collection}/${id}`;
        this.#tell(record, `The ${record} was damaged; it was built anew from the document.`);
      }
      cursor = next as string;
    } while (cursor !== '0');
  }

  #once(record: string, active: boolean, mend: () => Promise<void>): void {
    if (this.#reported.has(record)) return;
    this.#reported.add(record);
    this.#tell(record, setAsideWords(record));
    if (!active) return;
    this.#background(async () => {
      await mend();
      this.#reported.delete(record);
    });
  }

  /** What fails here (the server is away, say) stays reported, and is met again by the next reader. */
  #background(work: () => Promise<void>): void {
    const done = work()
      .catch(() => undefined)
      .finally(() => this.#underWay.delete(done));
    this.#underWay.add(done);
  }

  #tell(record: string, message: string): void {
    this.#onFault?.({ code: 'storage.corrupt_record', record, message });
  }
}

function setAsideWords(record: string): string {
  return record.startsWith('log ')
    ? `The counter of the ${record} failed its checksum; it goes on from the greatest number known.`
    : `The ${record} failed its checksum; it was set aside and is not served.`;
}
