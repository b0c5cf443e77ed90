import type { CheckedOperation, CheckedPut } from '../checked-input.ts';
import { entryChecksumsOf } from '../checksum.ts';
import type { OperationResult } from '../storage.ts';
import { documentText, entryText } from './copy-text.ts';

/** Characters above which an object is not kept hot. */
export const LARGEST_COPY = 8 * 1024 * 1024;

/**
 * The claim of this instance on one object, and what is known of its copy: nobody else changes that while the claim stands,
 * so that what was written is put behind it without asking.
 */
export class Claim {
  readonly object: string;
  readonly number: number;
  /** Where the copy is while it is claimed. */
  readonly key: string;
  /** By `performance.now`. */
  readonly begun: number;
  #usedAt: number;
  #underWay = 0;
  /** Two commits have been under way at a time since there was none. */
  #hasOverlap = false;
  /** Resolves when it is known whether the claim was granted; undefined from then on. */
  granting: Promise<void> | undefined;
  /** False once the server may have forgotten it. */
  alive = true;
  /** It is to be given up as soon as no commit is under way. */
  ending = false;
  /** In the list of those that have something to send. */
  listed = false;
  /** The update with which something was sent last. */
  sentWith = 0;
  /** What is there is not what was written: it goes with the claim. */
  #spoilt = false;
  #present = false;
  /** What was written last, while it is not sent yet. */
  #put: CheckedPut | undefined;
  #version = 0;
  /** Of a log: what stands before the entries, when there was no copy. */
  #header: string | undefined;
  #texts: string[] = [];
  /** The sequence that comes next; 0 when it is known that there are no entries, undefined when nothing is known. */
  #next: number | undefined;
  /** Sequence from which on a copy without entries is complete. */
  #from = 0;
  /** Of the list, the header included. */
  #length = 1;
  #highest = 0;
  /** Entries that were told before one that stands before them, by how far they are behind the next. */
  readonly #ahead: (string | undefined)[] = [];
  #checksum: ReturnType<typeof entryChecksumsOf> | undefined;

  constructor(object: string, number: number, key: string) {
    this.object = object;
    this.number = number;
    this.key = key;
    this.begun = performance.now();
    this.#usedAt = this.begun;
  }

  /** When a commit was begun on it last. */
  get usedAt(): number {
    return this.#usedAt;
  }

  /** Commits that are on their way to the cold side or there. */
  get underWay(): number {
    return this.#underWay;
  }

  /** True when the copy can be read, once what is waiting was sent. */
  get isReadable(): boolean {
    const isKnown = this.#present || this.hasNews;
    return isKnown && this.alive && !this.ending && this.granting === undefined && this.#underWay === 0;
  }

  get hasNews(): boolean {
    return this.#put !== undefined || this.#texts.length > 0;
  }

  /** One more commit is on its way. */
  begin(now: number): void {
    this.#usedAt = now;
    this.#underWay += 1;
    if (this.#underWay > 1) this.#hasOverlap = true;
  }

  /** The claim was granted. `found` is what the server told of the copy: see `CLAIM`. */
  granted(found: string): void {
    this.granting = undefined;
    if (found === 'shared') this.spoil();
    else if (found === '1') this.#present = true;
    else if (found !== '') {
      const [from = 0, first = 0, count = 0] = found.split(' ').map(Number);
      this.#present = true;
      this.#from = from;
      this.#next = first === 0 ? 0 : first + count;
      this.#length = count + 1;
    }
  }

  /** Nothing is known any more of what is there; the claim stands until the commits under way are answered. */
  spoil(): void {
    this.#spoilt = true;
    this.ending = true;
    this.#present = false;
    this.#put = undefined;
    this.#texts = [];
    this.#ahead.length = 0;
  }

  /** An operation of a commit was carried out on the object. */
  carriedOut(operation: CheckedOperation, { version = 0, sequence = 0 }: OperationResult, at: number): void {
    if (this.#spoilt || !this.alive) return;
    if (operation.kind === 'put' && operation.json.length <= LARGEST_COPY) {
      this.#take(operation, version);
    } else if (operation.kind === 'append' && operation.json.length <= LARGEST_COPY) {
      this.#checksum ??= entryChecksumsOf(operation.log);
      this.#append(sequence, entryText(this.#checksum(sequence, at, operation.valueCrc), at, operation.json));
    } else this.spoil();
  }

  #take(put: CheckedPut, version: number): void {
    // Several at a time may be answered in another order than they were carried out in, and one that has expired begins anew.
    const isNext = version === this.#version + 1 || this.#version === 0;
    if (this.#hasOverlap && !isNext) {
      this.spoil();
      return;
    }
    this.#version = version;
    this.#put = put;
  }

  #append(sequence: number, text: string): void {
    const isFirst = this.#highest === 0;
    this.#highest = Math.max(this.#highest, sequence);
    if (this.#next === undefined) {
      // The beginning of a log is all of it; anything else, without what stands before it, is not worth keeping.
      if (sequence !== 1 || !isFirst) return;
      this.#from = 1;
      this.#next = 0;
    }
    if (this.#next === 0) {
      // Another one may stand before it that has not been told yet.
      if (sequence !== this.#from) {
        this.spoil();
        return;
      }
      this.#header = `${this.#from} ${sequence}`;
      this.#next = sequence;
    }
    if (sequence < this.#next) {
      this.spoil();
      return;
    }
    if (sequence > this.#next) {
      this.#ahead[sequence - this.#next] = text;
      return;
    }
    this.#texts.push(text);
    this.#next += 1;
    if (this.#ahead.length === 0) return;
    // The place of this one.
    this.#ahead.shift();
    for (let next = this.#ahead[0]; next !== undefined; next = this.#ahead[0]) {
      this.#ahead.shift();
      this.#texts.push(next);
      this.#next += 1;
    }
  }

  /** A commit was answered, and what it did was told. True when the claim is to be given up now. */
  settled(): boolean {
    this.#underWay -= 1;
    if (this.#underWay > 0) return false;
    this.#hasOverlap = false;
    // Somebody else has written what stands between.
    if (this.#ahead.length > 0) this.spoil();
    return this.ending;
  }

  /** The server may have forgotten the claim, and the copy is not to be believed. */
  forget(): void {
    this.alive = false;
    this.spoil();
  }

  /** Puts what is to be sent, as `UPDATE` takes it, behind `args`. True when the claim ends with it. */
  takeActions(args: (string | number)[]): boolean {
    if (this.#put !== undefined) {
      const { collection, id, expiresAt, json, valueCrc } = this.#put;
      const text = documentText(collection, id, this.#version, expiresAt, json, valueCrc);
      args.push(this.#present ? 'set' : 'new', this.object, this.number, text);
      this.#put = undefined;
      this.#present = true;
    }
    if (this.#texts.length > 0) {
      this.#length += this.#texts.length;
      if (this.#header === undefined) args.push('add', this.object, this.number, this.#length);
      else args.push('log', this.object, this.number, this.#header);
      args.push(this.#texts.length);
      for (const text of this.#texts) args.push(text);
      this.#header = undefined;
      this.#texts = [];
      this.#present = true;
    }
    if (!this.ending || this.#underWay > 0) return false;
    args.push(this.#spoilt ? 'drop' : 'end', this.object, this.number);
    return true;
  }
}
