/**
 * What was noted about a problem of a storm, in the order of time: who wrote and read what it names, when and over which instance,
 * and what failed meanwhile. A storm does not come again, so its findings must explain themselves.
 */
import type { Operation } from '../../storage.ts';
import type { Moment, Note, Span } from './storm-notes.ts';

/** Lines of a story at most: those in its middle are left out, because what led to it and what came of it stand at its ends. */
const LONGEST = 80;
/** Numbers that are so near to one that is named belong to the story. */
const NEAR = 2;
/** Failures of so many microseconds before still have to do with it. */
const BEFORE = 3_000_000;

interface Line {
  at: Moment;
  text: string;
}

/** What a problem speaks of. */
interface Named {
  /** Documents and logs. */
  keys: Set<string>;
  numbers: Set<number>;
  /** As `<writer>.<number>`. */
  commits: Set<string>;
}

/** The lines of the story; none when nothing was noted of what the problem names. */
export function storyOf(problem: string, notes: readonly Note[]): string[] {
  const named = namesIn(problem);
  const begun = notes.reduce(
    (least, note) => Math.min(least, spanOf(note)?.began ?? least),
    Number.POSITIVE_INFINITY,
  );
  const sent = new Map<string, Operation[]>();
  for (const note of notes) if (note[0] === 'sent') sent.set(nameOf(note[1]), note[2]);
  const lines = notes.flatMap((note): Line[] => {
    const span = spanOf(note);
    const text = span === undefined ? undefined : textOf(note, named, sent);
    if (span === undefined || text === undefined) return [];
    const by = span.by === undefined ? '' : ` (${span.by})`;
    return [{ at: span.began, text: `${timesOf(span, begun)}  ${text}${by}` }];
  });
  if (lines.length === 0) return [];
  lines.sort((a, b) => a.at - b.at);
  const first = (lines[0]?.at ?? 0) - BEFORE;
  const last = lines.at(-1)?.at ?? 0;
  for (const note of notes) {
    const failed = failureOf(note);
    if (failed === undefined || failed.span.ended < first || failed.span.began > last) continue;
    lines.push({ at: failed.span.began, text: `${timesOf(failed.span, begun)}  ${failed.what}` });
  }
  lines.sort((a, b) => a.at - b.at);
  return shortened(lines.map(({ text }) => text));
}

function namesIn(problem: string): Named {
  const keys = problem.match(/\b(messages|trimmed|brief|sessions|own|counters|lapsing)\/[\w-]+/g) ?? [];
  const numbers = problem.match(/(?<=[#@]|read as |at |, |then )\d+\b/g) ?? [];
  const commits = problem.match(/\b[\w-]+\.\d+\b/g) ?? [];
  return { keys: new Set(keys), numbers: new Set(numbers.map(Number)), commits: new Set(commits) };
}

function textOf(note: Note, named: Named, sent: ReadonlyMap<string, Operation[]>): string | undefined {
  switch (note[0]) {
    case 'acknowledged': {
      const name = nameOf(note[1]);
      const operations = sent.get(name) ?? [];
      const parts = operations.flatMap((operation, i) => {
        const { version, sequence } = note[2][i] ?? {};
        const number = version ?? sequence;
        const key = keyOf(operation);
        const isNamed = named.keys.has(key) && (number === undefined || isNear(named, number));
        return isNamed || named.commits.has(name) ? [`${operation.kind} ${key}#${number ?? ''}`] : [];
      });
      return parts.length === 0 ? undefined : `${name} was acknowledged: ${parts.join(', ')}`;
    }
    case 'forgotten': {
      const name = nameOf(note[1]);
      return named.commits.has(name) ? `${name} was sent again and refused` : undefined;
    }
    case 'document': {
      const [, name, version, value] = note;
      const isNamed = named.keys.has(name) && isNear(named, version);
      return isNamed ? `${name} was read as #${version}: ${JSON.stringify(value)}` : undefined;
    }
    case 'entries': {
      const [, log, entries, last] = note;
      const numbers = entries.map(([sequence]) => sequence);
      const isNamed = named.keys.has(log) && numbers.some((number) => isNear(named, number));
      if (!isNamed) return undefined;
      const near = entries.filter(([sequence]) => isNear(named, sequence));
      const text = near.map(([sequence, value]) => `#${sequence} ${value}`).join(', ');
      const extent = `${numbers[0]} to ${numbers.at(-1)}`;
      return `${log} was read from ${extent}${last ? ', its end' : ''}, among them ${text}`;
    }
    case 'lapsing': {
      const [, id, value] = note;
      return named.keys.has(`lapsing/${id}`) ? `lapsing/${id} was read as ${value ?? 'none'}` : undefined;
    }
    default:
      return undefined;
  }
}

function failureOf(note: Note): { what: string; span: Span } | undefined {
  switch (note[0]) {
    case 'fault':
      return { what: `=== ${note[1]}`, span: note[2] };
    case 'break':
      return { what: `=== the data were ${note[1].what}`, span: note[1] };
    case 'switched':
      return { what: '=== the data were switched', span: note[1] };
    default:
      return undefined;
  }
}

function spanOf(note: Note): Span | undefined {
  const last = note.at(-1);
  return typeof last === 'object' && last !== null && 'began' in last ? (last as Span) : undefined;
}

const nameOf = ({ writer, number }: { writer: string; number: number }): string => `${writer}.${number}`;

const keyOf = (operation: Operation): string =>
  'log' in operation ? operation.log : `${operation.collection}/${operation.id}`;

const isNear = ({ numbers }: Named, number: number): boolean =>
  numbers.size === 0 || [...numbers].some((one) => Math.abs(one - number) <= NEAR);

/** Seconds since the storm began. */
const timesOf = ({ began, ended }: Span, begun: Moment): string =>
  `${((began - begun) / 1e6).toFixed(6)}–${((ended - begun) / 1e6).toFixed(6)}`;

function shortened(lines: string[]): string[] {
  if (lines.length <= LONGEST) return lines;
  const half = LONGEST / 2;
  return [
    ...lines.slice(0, half),
    `… ${lines.length - LONGEST} more, which the notes hold …`,
    ...lines.slice(-half),
  ];
}
