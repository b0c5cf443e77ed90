import { MAX_SEARCH_LENGTH, type RuntimeEvent, topicPattern } from '#contract';
import { topicMatches } from '../../lib/topics.ts';
import { type RawSearch, textOf } from '../../lib/url-state.ts';

/** What the Events page shows. All parts must hold; empty ones hold always. */
export interface EventFilter {
  /** Patterns, of which one must match; none means every topic. */
  topics: readonly string[];
  /** Text anywhere in the event, without regard to case. */
  search: string;
  subject: string;
  correlationId: string;
  /** Events that are told live and not kept (`sequence` 0) as well. */
  liveOnly: boolean;
}

export const NO_FILTER: EventFilter = {
  topics: [],
  search: '',
  subject: '',
  correlationId: '',
  liveOnly: false,
};

/** Topic patterns that the runtime takes at once. */
export const MAX_TOPICS = 50;

/** Past this many UTF-16 units the text of an event is made again for each search rather than kept. */
const KEPT_TEXT_LENGTH = 65_536;

/** Says whether a topic matches one of the patterns; no pattern at all means every topic. */
export function topicMatcher(patterns: readonly string[]): (topic: string) => boolean {
  return (topic) => patterns.length === 0 || patterns.some((pattern) => topicMatches(pattern, topic));
}

/** What is wrong with a topic pattern, in words; `undefined` when nothing is. */
export function topicProblem(pattern: string): string | undefined {
  if (topicPattern.safeParse(pattern).success) return undefined;
  if (/[A-Z]/.test(pattern)) return `"${pattern}": topics are written in lower case`;
  if (/>./.test(pattern)) return `"${pattern}": ">" stands for the rest, so it must come last`;
  if (/^\.|\.$|\.\./.test(pattern)) return `"${pattern}": a word is missing beside a dot`;
  return `"${pattern}" is not a topic pattern: dotted words, "*" for one of them, ">" at the end for the rest`;
}

/** Says whether an event is shown. Searching a text is the costly part, so it comes last. */
export function eventMatcher(filter: EventFilter): (event: RuntimeEvent) => boolean {
  const matchesTopic = topicMatcher(filter.topics);
  const search = filter.search.trim().toLowerCase();
  return (event) =>
    (filter.liveOnly || event.sequence > 0) &&
    (filter.subject === '' || event.subject === filter.subject) &&
    (filter.correlationId === '' || event.correlationid === filter.correlationId) &&
    matchesTopic(event.type) &&
    (search === '' || searchText(event).includes(search));
}

const texts = new WeakMap<RuntimeEvent, string>();

function searchText(event: RuntimeEvent): string {
  const known = texts.get(event);
  if (known !== undefined) return known;
  const text = JSON.stringify(event).toLowerCase();
  if (text.length <= KEPT_TEXT_LENGTH) texts.set(event, text);
  return text;
}

/** How many parts of the filter narrow the list. */
export function activeFilters(filter: EventFilter): number {
  return [
    filter.topics.length > 0,
    filter.search.trim() !== '',
    filter.subject !== '',
    filter.correlationId !== '',
  ].filter(Boolean).length;
}

/** The filter as it stands in the address of the page, and the event that is open there. */
export interface EventUrl {
  topics: string | undefined;
  search: string | undefined;
  subject: string | undefined;
  correlation: string | undefined;
  live: true | undefined;
  /** The sequence of the event in the drawer, or its id where it is only told live. */
  event: string | undefined;
}

export function parseEventUrl(search: RawSearch): EventUrl {
  return { ...searchFromFilter(filterFromSearch(search)), event: textOf(search, 'event') };
}

/** Reads what the address says; what makes no sense there is left out rather than refused. */
export function filterFromSearch(search: RawSearch): EventFilter {
  const text = (name: string, length: number) => (textOf(search, name) ?? '').slice(0, length);
  return {
    topics: text('topics', 2000)
      .split(',')
      .map((pattern) => pattern.trim())
      .filter((pattern) => pattern !== '' && topicProblem(pattern) === undefined)
      .slice(0, MAX_TOPICS),
    search: text('search', MAX_SEARCH_LENGTH),
    subject: text('subject', 128),
    correlationId: text('correlation', 128),
    liveOnly: textOf(search, 'live') === 'true',
  };
}

/** What the address is to say; `undefined` takes a parameter away. */
export function searchFromFilter(filter: EventFilter): Omit<EventUrl, 'event'> {
  return {
    topics: filter.topics.join(',') || undefined,
    search: filter.search || undefined,
    subject: filter.subject || undefined,
    correlation: filter.correlationId || undefined,
    live: filter.liveOnly || undefined,
  };
}

/** The query of the API for it. */
export function eventListQueryOf(filter: EventFilter) {
  const search = filter.search.trim();
  return {
    ...(filter.topics.length > 0 && { topics: filter.topics.join(',') }),
    ...(search !== '' && { search }),
    ...(filter.subject !== '' && { subject: filter.subject }),
    ...(filter.correlationId !== '' && { correlationId: filter.correlationId }),
  };
}
