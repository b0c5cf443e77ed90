import { fieldOf } from '../checked-input.ts';
import { valueChecksum } from '../checksum.ts';
import { comparePositions, decodeCursor, encodeCursor, type Position } from '../cursor.ts';
import { matches } from '../filters.ts';
import type { Filter, IndexValue, ListPage, ListQuery, StoredDocument } from '../storage.ts';
import { type DamagedRecords, type Stray, soundHead, toDocument } from './damaged-records.ts';
import { decodeFields, encodeIndexValue, type LexRange, rangesOf } from './index-text.ts';
import { COUNT, GET_MANY, WALK } from './read-scripts.ts';
import { type Head, parseHead } from './record-text.ts';
import type { RedisServer } from './redis-server.ts';

/** When a filter leaves no more documents than this, they are looked at and sorted; otherwise the order is walked. */
const FEW = 500;
/** Most members that one step of a walk looks at. */
const STEP = 1_000;
/** Bytes of values in one answer. */
const ANSWER_BYTES = 4 * 1024 * 1024;

interface Found extends Position {
  head: Head;
  /** Null when there was no room for it in the answer. */
  json: string | null;
}

/** What is walked: a sorted set, from one end to the other. */
interface Walk {
  set: string;
  field: string | undefined;
  range: LexRange;
  reverse: boolean;
}

/** Thrown away when another generation has become active half-way: the list begins anew. */
class Moved extends Error {}

/** Finds the documents of a page. The index leads to them; what their own heads say decides. */
export class ListReader {
  readonly #server: RedisServer;
  readonly #damaged: DamagedRecords;
  readonly #now: () => number;

  constructor(server: RedisServer, damaged: DamagedRecords, now: () => number) {
    this.#server = server;
    this.#damaged = damaged;
    this.#now = now;
  }

  async list<T>(collection: string, query: ListQuery): Promise<ListPage<T>> {
    const start = decodeCursor(query);
    for (;;) {
      try {
        return await this.#page<T>(collection, query, start);
      } catch (error) {
        if (!(error instanceof Moved)) throw error;
      }
    }
  }

  async #page<T>(collection: string, query: ListQuery, start: Position | undefined): Promise<ListPage<T>> {
    const step = { first: true };
    const found =
      (await this.#few(collection, query, start, step)) ??
      (await this.#walked(collection, query, start, step));
    const page = found.slice(0, query.limit);
    const last = found.length > page.length ? page.at(-1) : undefined;
    const items = await this.#documents<T>(collection, page, query, step);
    return last === undefined ? { items } : { items, nextCursor: encodeCursor(query, last) };
  }

  /** In the order of the list, until the page is full; one more, to know whether another page follows. */
  async #walked(
    collection: string,
    query: ListQuery,
    start: Position | undefined,
    step: { first: boolean },
  ): Promise<Found[]> {
    const walk = walkOf(collection, query, start);
    if (walk === undefined) return [];
    const found: Found[] = [];
    const others = (query.where ?? []).some(
      (filter) => filter.field !== walk.field || rangesOf(filter)?.length !== 1,
    );
    let count = Math.min(query.limit + 1, STEP);
    for (;;) {
      const { members, rows } = await this.#step(
        collection,
        query,
        walk,
        count,
        others ? 0 : ANSWER_BYTES,
        step,
      );
      found.push(...rows);
      if (found.length > query.limit || members.length < count) return found.slice(0, query.limit + 1);
      const last = members.at(-1) as string;
      if (walk.reverse) walk.range.most = `(${last}`;
      else walk.range.least = `(${last}`;
      count = Math.min(count * 2, STEP);
    }
  }

  /** The documents that the most promising filter leaves, sorted, when they are few; undefined when none leaves few. */
  async #few(
    collection: string,
    query: ListQuery,
    start: Position | undefined,
    step: { first: boolean },
  ): Promise<Found[] | undefined> {
    const where = query.where ?? [];
    const ordered = query.orderBy?.field;
    // Walking the index of an `is` filter has the order of the ids for free.
    if (ordered === undefined && where.some((filter) => 'is' in filter)) return undefined;
    const promising = where
      .filter((filter) => filter.field !== ordered)
      .flatMap((filter) => {
        const ranges = rangesOf(filter);
        return ranges === undefined ? [] : [{ set: `x:${collection}:${filter.field}`, filter, ranges }];
      });
    if (promising.length === 0) return undefined;
    const args = promising.flatMap(({ set, ranges }) =>
      ranges.flatMap(({ least, most }) => [set, least, most]),
    );
    const counts = (await this.#active(COUNT, args, step)) as number[];
    let best: { set: string; filter: Filter; ranges: LexRange[]; size: number } | undefined;
    for (const one of promising) {
      const sizes = counts.splice(0, one.ranges.length);
      const size = sizes.reduce((sum, n) => sum + n, 0);
      const ranges = one.ranges.filter((_, i) => sizes[i] !== 0);
      if (size <= FEW && (best === undefined || size < best.size)) best = { ...one, ranges, size };
    }
    if (best === undefined) return undefined;
    const { set, filter, ranges } = best;
    const walked = await Promise.all(
      ranges.map((range) => {
        const walk = { set, field: filter.field, range, reverse: false };
        // What was added since it was counted comes along, up to a bound.
        return this.#step(collection, query, walk, 2 * FEW, 0, step);
      }),
    );
    const compare = comparePositions(query);
    return walked
      .flatMap(({ rows }) => rows)
      .filter((row) => start === undefined || compare(row, start) > 0)
      .sort(compare)
      .slice(0, query.limit + 1);
  }

  async #step(
    collection: string,
    query: ListQuery,
    { set, field, range, reverse }: Walk,
    count: number,
    bytes: number,
    step: { first: boolean },
  ): Promise<{ members: string[]; rows: Found[] }> {
    const args = [collection, set, range.least, range.most, count, reverse ? 1 : 0, bytes];
    const answer = (await this.#active(WALK, args, step)) as (string | null)[];
    const members: string[] = [];
    const rows: Found[] = [];
    const strays: Stray[] = [];
    const now = this.#now();
    for (let i = 0; i < answer.length; i += 3) {
      const [member, head, json] = answer.slice(i, i + 3) as [string, string | null, string | null];
      members.push(member);
      const cut = field === undefined ? -1 : member.indexOf('\0');
      const id = member.slice(cut + 1);
      if (head === null) {
        strays.push({ set, member, head: '' });
        continue;
      }
      const parsed = parseHead(collection, id, head);
      if (parsed === undefined) {
        this.#damaged.document(collection, id);
        continue;
      }
      const fields = decodeFields(parsed.fields);
      const own = field === undefined ? undefined : fieldOf(fields, field);
      if (field !== undefined && (own === undefined || encodeIndexValue(own) !== member.slice(0, cut))) {
        strays.push({ set, member, head });
        continue;
      }
      const place = placeOf(id, fields, query);
      if (place === undefined || (parsed.expiresAt !== null && parsed.expiresAt <= now)) continue;
      rows.push({ ...place, head: parsed, json });
    }
    if (strays.length > 0) this.#damaged.strays(collection, strays);
    return { members, rows };
  }

  /** The values of a page; those that are not there yet are asked for, and looked at again as they are then. */
  async #documents<T>(
    collection: string,
    page: Found[],
    query: ListQuery,
    step: { first: boolean },
  ): Promise<StoredDocument<T>[]> {
    const missing = page.filter(({ json }) => json === null).map(({ id }) => id);
    const later = new Map<string, { head: string | null; json: string | null }>();
    while (missing.length > 0) {
      const answer = (await this.#active(GET_MANY, [collection, ANSWER_BYTES, ...missing], step)) as (
        | string
        | null
      )[];
      const ids = missing.splice(0, answer.length / 2);
      for (const [i, id] of ids.entries()) {
        later.set(id, { head: answer[2 * i] ?? null, json: answer[2 * i + 1] ?? null });
      }
    }
    const documents: StoredDocument<T>[] = [];
    for (const row of page) {
      const now = row.json === null ? later.get(row.id) : undefined;
      const document =
        now === undefined
          ? this.#sound<T>(collection, row.id, row.head, row.json as string)
          : this.#changed<T>(collection, row, now, query);
      if (document !== undefined) documents.push(document);
    }
    return documents;
  }

  #sound<T>(collection: string, id: string, head: Head, json: string): StoredDocument<T> | undefined {
    if (valueChecksum(json) === head.valueCrc) return toDocument<T>(collection, id, head, json);
    this.#damaged.document(collection, id);
    return undefined;
  }

  #changed<T>(
    collection: string,
    row: Found,
    { head, json }: { head: string | null; json: string | null },
    query: ListQuery,
  ): StoredDocument<T> | undefined {
    if (head === null) return undefined;
    const parsed = soundHead(collection, row.id, head, json);
    if (parsed === undefined) {
      this.#damaged.document(collection, row.id);
      return undefined;
    }
    const place = placeOf(row.id, decodeFields(parsed.fields), query);
    // It was changed since it was found: it is only in this page if it still belongs here.
    if (place === undefined || place.value !== row.value) return undefined;
    if (parsed.expiresAt !== null && parsed.expiresAt <= this.#now()) return undefined;
    return toDocument<T>(collection, row.id, parsed, json as string);
  }

  /** What was found in one generation must not be mixed with what comes from another. */
  async #active(
    script: typeof WALK,
    args: (string | number)[],
    step: { first: boolean },
  ): Promise<unknown[]> {
    const { first } = step;
    let moved = false;
    const answer = await this.#server.onActive(script, args, () => {
      moved = true;
    });
    step.first = false;
    if (moved && !first) throw new Moved();
    return answer;
  }
}

/** Where a document stands in the list; undefined when it is not in it. */
function placeOf(id: string, fields: Record<string, IndexValue>, query: ListQuery): Position | undefined {
  const field = query.orderBy?.field;
  const value = field === undefined ? null : fieldOf(fields, field);
  if (value === undefined) return undefined;
  const passes = (query.where ?? []).every((filter) => matches(filter, fieldOf(fields, filter.field)));
  return passes ? { value, id } : undefined;
}

/** The index of the order field; or, in the order of the ids, that of an `is` filter; or the ids. Undefined when nothing can pass. */
function walkOf(collection: string, query: ListQuery, start: Position | undefined): Walk | undefined {
  const where = query.where ?? [];
  const is = where.find((filter) => 'is' in filter);
  const field = query.orderBy?.field ?? is?.field;
  const reverse = query.orderBy?.direction === 'descending';
  if (field === undefined) {
    const least = start === undefined ? '-' : `(${start.id}`;
    return { set: `i:${collection}`, field, range: { least, most: '+' }, reverse };
  }
  let range: LexRange = { least: '-', most: '+' };
  const bounding = query.orderBy === undefined ? [is as Filter] : where;
  for (const filter of bounding) {
    if (filter.field !== field) continue;
    const ranges = rangesOf(filter);
    if (ranges?.length === 0) return undefined;
    // Of several ranges of one field the first is walked, and the others are asked as filters.
    if (ranges?.length === 1 && range.least === '-') range = { ...(ranges[0] as LexRange) };
  }
  if (start !== undefined) {
    const value = start.value ?? (is !== undefined && 'is' in is ? is.is : '');
    const at = `(${encodeIndexValue(value)}\0${start.id}`;
    if (reverse) range.most = at;
    else range.least = at;
  }
  return { set: `x:${collection}:${field}`, field, range, reverse };
}
