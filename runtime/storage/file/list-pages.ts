import { fieldOf, fieldsFromText } from '../checked-input.ts';
import { compareIndexValues, compareText } from '../collation.ts';
import { comparePositions, type Position } from '../cursor.ts';
import { matches } from '../filters.ts';
import type { Filter, IndexValue, ListQuery } from '../storage.ts';
import { type Collection, type DocumentEntry, type FieldItem, isLiving } from './data-index.ts';
import type { SortedList } from './sorted-list.ts';

/** When a filter leaves no more documents than this, they are sorted; otherwise the order of the list is walked. */
const FEW = 1_000;

/** Where a document stands in a list. */
export interface Place extends Position {
  entry: DocumentEntry;
}

/** A page of a list, and whether another follows. */
export interface ListedPlaces {
  places: Place[];
  more: boolean;
}

/** The documents of a page, found by the indexes in memory alone. */
export function listPlaces(
  collection: Collection | undefined,
  query: ListQuery,
  start: Position | undefined,
  now: number,
): ListedPlaces {
  if (collection === undefined) return { places: [], more: false };
  const few = candidates(collection, query.where ?? []);
  const places = few === undefined ? walked(collection, query, start, now) : sorted(few, query, start, now);
  const more = places.length > query.limit;
  return { places: places.slice(0, query.limit), more };
}

/** In the order of the list, until the page is full; one more, to know whether another page follows. */
function walked(collection: Collection, query: ListQuery, start: Position | undefined, now: number): Place[] {
  const places: Place[] = [];
  const entries =
    query.orderBy === undefined
      ? collection.ordered.from((entry) => start !== undefined && compareText(entry.id, start.id) <= 0)
      : inOrderOf(collection.field(query.orderBy.field), query.orderBy.direction, start);
  for (const entry of entries) {
    const place = placeOf(entry, query, now);
    if (place !== undefined) places.push(place);
    if (places.length > query.limit) break;
  }
  return places;
}

function* inOrderOf(
  list: SortedList<FieldItem>,
  direction: 'ascending' | 'descending',
  start: Position | undefined,
): Generator<DocumentEntry, void, void> {
  const behind = (item: FieldItem) => {
    if (start === undefined || start.value === null) return 0;
    return compareIndexValues(item.value, start.value) || compareText(item.entry.id, start.id);
  };
  const items =
    direction === 'ascending'
      ? list.from((item) => start !== undefined && behind(item) <= 0)
      : list.backFrom((item) => start === undefined || behind(item) < 0);
  for (const { entry } of items) yield entry;
}

function sorted(
  entries: DocumentEntry[],
  query: ListQuery,
  start: Position | undefined,
  now: number,
): Place[] {
  const compare = comparePositions(query);
  const places: Place[] = [];
  for (const entry of entries) {
    const place = placeOf(entry, query, now);
    if (place !== undefined && (start === undefined || compare(place, start) > 0)) places.push(place);
  }
  return places.sort(compare).slice(0, query.limit + 1);
}

/** Undefined when the document is not in the list. */
function placeOf(entry: DocumentEntry, query: ListQuery, now: number): Place | undefined {
  if (!isLiving(entry, now)) return undefined;
  const { where = [], orderBy } = query;
  if (where.length === 0 && orderBy === undefined) return { entry, value: null, id: entry.id };
  const fields = fieldsFromText(entry.fields);
  const value = orderBy === undefined ? null : fieldOf(fields, orderBy.field);
  if (value === undefined || !where.every((filter) => matches(filter, fieldOf(fields, filter.field)))) {
    return undefined;
  }
  return { entry, value, id: entry.id };
}

/** The documents that the most promising filter leaves, when they are few; undefined when no filter leaves few. */
function candidates(collection: Collection, where: Filter[]): DocumentEntry[] | undefined {
  let ranges: Range[] | undefined;
  let least = FEW + 1;
  let chosen: SortedList<FieldItem> | undefined;
  for (const filter of where) {
    const wanted = rangesOf(filter);
    if (wanted === undefined) continue;
    const list = collection.field(filter.field);
    const count = wanted.reduce(
      (sum, range) => sum + Math.max(list.rank(range.below) - list.rank(range.before), 0),
      0,
    );
    if (count >= least) continue;
    least = count;
    ranges = wanted;
    chosen = list;
  }
  if (ranges === undefined || chosen === undefined) return undefined;
  const found = new Set<DocumentEntry>();
  for (const { before, below } of ranges) {
    for (const item of chosen.from(before)) {
      if (!below(item)) break;
      found.add(item.entry);
    }
  }
  return [...found];
}

/** The items of a sorted list that are not `before` and are `below`. */
interface Range {
  before(item: FieldItem): boolean;
  below(item: FieldItem): boolean;
}

/** The ranges of a field's values that a filter asks for; undefined when it asks for none. */
function rangesOf(filter: Filter): Range[] | undefined {
  const at = (wanted: IndexValue): Range => ({
    before: ({ value }) => compareIndexValues(value, wanted) < 0,
    below: ({ value }) => compareIndexValues(value, wanted) <= 0,
  });
  if ('is' in filter) return [at(filter.is)];
  if ('in' in filter) return filter.in.map(at);
  if (!('from' in filter)) return undefined;
  const { from, below } = filter;
  return [
    {
      before: ({ value }) => compareIndexValues(value, from) < 0,
      below: ({ value }) => below === undefined || compareIndexValues(value, below) < 0,
    },
  ];
}
