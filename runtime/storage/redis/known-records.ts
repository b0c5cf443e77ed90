import { hash } from 'node:crypto';
import type { CommitId } from '../storage.ts';

/** A document as it was last written or answered, and nothing of it that expires. */
export interface KnownDocument {
  /** The text of its head. */
  head: string;
  version: number;
  /** As the head holds them. */
  fields: string;
  /** Bytes of its value. */
  bytes: number;
}

export interface KnownLog {
  /** The text of its counter. */
  counter: string;
  last: number;
  through: number;
  bytes: number;
}

/** What is known of the ring in which the last commits of a writer are remembered. */
export interface KnownRing {
  /** By slot; nothing where there is nothing, or it is not known. */
  readonly texts: string[];
  /** The slot of the last one that was carried out, as far as is known. */
  last: number | undefined;
}

/** Slots of a ring. */
export const RING = 1_024;
const MAXIMUM_RECORDS = 20_000;
/** Writers; there is one, and perhaps that of an earlier process whose journal is drained. */
const MAXIMUM_RINGS = 4;

/**
 * What this process believes to be in Redis: the texts of heads, counters and remembered commits that it wrote last. None of
 * it is trusted; a script is told what is believed, and does nothing when a byte of it is not so.
 */
export class KnownRecords {
  readonly #documents = new Map<string, KnownDocument>();
  readonly #logs = new Map<string, KnownLog>();
  readonly #rings = new Map<string, KnownRing>();
  #generation = '';

  /** What is known is of one generation. */
  follow(generation: string): void {
    if (generation === this.#generation) return;
    this.#generation = generation;
    this.forget();
  }

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

  setLog(name: string, known: KnownLog | undefined): void {
    set(this.#logs, name, known, MAXIMUM_RECORDS);
  }

  /** A commit that is remembered now, with the numbers that it was answered. */
  remember({ writer, number }: CommitId, numbers: string): void {
    const ring = this.#rings.get(writer) ?? { texts: [], last: undefined };
    ring.last = number % RING;
    ring.texts[ring.last] = rememberedText(writer, number, numbers);
    set(this.#rings, writer, ring, MAXIMUM_RINGS);
  }

  /** Something was not as it was believed to be. */
  forget(): void {
    this.#documents.clear();
    this.#logs.clear();
    for (const ring of this.#rings.values()) ring.last = undefined;
  }
}

/** What is remembered of a commit; `numbers` are those of its operations, with commas. */
export function rememberedText(writer: string, number: number, numbers: string): string {
  return `${number} ${hash('sha1', `${writer} ${number} ${numbers}`).slice(0, 8)} ${numbers}`;
}

/** The one that was set longest ago gives way. */
function set<T>(map: Map<string, T>, key: string, value: T | undefined, most: number): void {
  map.delete(key);
  if (value === undefined) return;
  map.set(key, value);
  if (map.size <= most) return;
  const [oldest] = map.keys();
  map.delete(oldest as string);
}
