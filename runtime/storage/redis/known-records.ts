import type { EncodedField } from './index-text.ts';
import { type LogSum, rememberedBy } from './record-text.ts';

/** A document as it was last written or answered, and nothing of it that expires. */
export interface KnownDocument {
  version: number;
  fields: readonly EncodedField[];
  /** Bytes of its value. */
  bytes: number;
}

export interface KnownLog {
  last: number;
  readonly sum: LogSum;
}

/** What is known of the ring in which the last commits of a writer are remembered. */
export interface KnownRing {
  /** Makes the text that is remembered of a commit. */
  readonly text: (number: number, numbers: string) => string;
  /** The greatest number in it. */
  greatest: number;
}

/** Slots of a ring. */
export const RING = 1_024;
const MAXIMUM_RECORDS = 20_000;
/** Writers; there is one, and perhaps that of an earlier process whose journal is drained. */
const MAXIMUM_RINGS = 4;

/**
 * What this process believes to be in Redis, because it wrote it last. It is only so while this process is the owner: the
 * script that takes it for granted looks at nothing else.
 */
export class KnownRecords {
  readonly #documents = new Map<string, KnownDocument>();
  readonly #logs = new Map<string, KnownLog>();
  readonly #rings = new Map<string, KnownRing>();

  document(collection: string, id: string): KnownDocument | undefined {
    return this.#documents.get(`${collection}/${id}`);
  }

  log(name: string): KnownLog | undefined {
    return this.#logs.get(name);
  }

  ring(writer: string): KnownRing | undefined {
    return this.#rings.get(writer);
  }

  setDocument(collection: string, id: string, known: KnownDocument | undefined): void {
    set(this.#documents, `${collection}/${id}`, known, MAXIMUM_RECORDS);
  }

  setLog(name: string, known: KnownLog): void {
    set(this.#logs, name, known, MAXIMUM_RECORDS);
  }

  /** Learns a ring from all that is in it; a damaged one is not known. */
  setRing(writer: string, remembered: readonly string[]): void {
    const textOf = rememberedBy(writer);
    let greatest = 0;
    for (const text of remembered) {
      const number = Number.parseInt(text, 10);
      const numbers = text.slice(String(number).length + 10);
      if (textOf(number, numbers) !== text) return;
      greatest = Math.max(greatest, number);
    }
    set(this.#rings, writer, { text: textOf, greatest }, MAXIMUM_RINGS);
  }

  /** Something was not as it was believed to be. */
  forget(): void {
    this.#documents.clear();
    this.#logs.clear();
    this.#rings.clear();
  }
}

/** The one that has been there longest gives way: to keep them in the order of their use would cost more than to learn one anew. */
function set<T>(map: Map<string, T>, key: string, value: T | undefined, most: number): void {
  if (value === undefined) {
    map.delete(key);
    return;
  }
  map.set(key, value);
  if (map.size <= most) return;
  const [oldest] = map.keys();
  map.delete(oldest as string);
}
