/**
 * What the writers of the crash suites do, and how one sees afterwards whether it was all there. Each client does what a
 * session does: one commit puts its document, which counts its messages, appends the message to the session's log and to
 * a log that all share, and now and then makes and removes small documents and trims. So whatever survives is whole when
 * the document's count, the log and the shared log agree, and complete when the count is that of the last acknowledged.
 */
import type { CommitId, LogEntry, Operation, OperationResult, Storage } from '../storage.ts';

/** A commit as its writer noted it: everything that it takes to make it again. */
export interface NotedCommit {
  session: string;
  /** The number of the message, and the version that the document has after it. */
  number: number;
  id: CommitId;
}

/** A step of a writer, noted before a commit was sent and after it was acknowledged. */
export type Note = ['sent' | 'acknowledged', NotedCommit];

const SCRATCH_EVERY = 4;
const SCRATCH_KEPT = 8;
const TRIM_EVERY = 50;
const TRIM_KEEPS = 25;

export function operationsOf({ session, number, id }: NotedCommit): Operation[] {
  const log = `messages/${session}`;
  const operations: Operation[] = [
    {
      kind: 'put',
      collection: 'sessions',
      id: session,
      value: { messages: number, writer: id.writer },
      index: { messages: number },
      // Every second session expects a version, as a service does; the others would not notice that they were doubled.
      ...(isGuarded(session) ? { expectVersion: number - 1 } : {}),
    },
    { kind: 'append', log, value: { number, text: 'x'.repeat((number * 97) % 4_000) } },
    { kind: 'append', log: 'events', value: { session, number } },
  ];
  if (number % SCRATCH_EVERY === 0) {
    const scratch = (of: number) => ({ collection: 'scratch', id: `${session}-${of}` });
    operations.push({ kind: 'put', ...scratch(number), value: { number }, index: { session } });
    if (number > SCRATCH_KEPT) operations.push({ kind: 'delete', ...scratch(number - SCRATCH_KEPT) });
  }
  // Trimming runs along, as retention does.
  if (number % TRIM_EVERY === 0) operations.push({ kind: 'trim', log, through: number - TRIM_KEEPS });
  return operations;
}

const isGuarded = (session: string) => Number(session.slice(session.lastIndexOf('-') + 1)) % 2 === 0;

/** What has been acknowledged over all runs of the writers, and what was found of it. */
export class Ledger {
  /** The last number that was acknowledged to each session. */
  readonly #acknowledged = new Map<string, number>();
  /** The last commit of each session in the run before, acknowledged or not. */
  #last = new Map<string, NotedCommit>();
  /** How far the shared log has been compared, and the last number of each session in it. */
  #comparedThrough = 0;
  readonly #compared = new Map<string, number>();

  /** Takes the notes of a writer; answers how many commits were acknowledged to it. */
  take(notes: Note[]): number {
    let acknowledged = 0;
    for (const [what, commit] of notes) {
      this.#last.set(commit.session, commit);
      if (what === 'sent') continue;
      acknowledged += 1;
      this.#acknowledged.set(commit.session, commit.number);
    }
    return acknowledged;
  }

  /**
   * Compares what is stored with what was acknowledged, then sends the last commit of every session again, by its id: one
   * that had been carried out must answer as it did and change nothing, one that had not must be carried out now.
   * Answers what is wrong; an empty list is the only good one.
   */
  async verify(storage: Storage): Promise<string[]> {
    // A server may still be carrying out what a client sent that has been killed: there the commits that are sent again
    // settle it first.
    const problems = storage.supports.remote ? [] : await this.#compare(storage);
    const before = await countsOf(storage);
    for (const commit of this.#last.values()) {
      const results = await storage.commit(operationsOf(commit), commit.id).catch(String);
      const answered = answerProblem(commit, results);
      if (answered !== undefined) problems.push(answered);
      this.#acknowledged.set(commit.session, commit.number);
      const had = before.get(commit.session) ?? 0;
      if (had !== commit.number && had !== commit.number - 1) {
        problems.push(`${commit.session} is at ${had}, though its last commit was number ${commit.number}`);
      }
    }
    if (this.#last.size > 0 || storage.supports.remote) problems.push(...(await this.#compare(storage)));
    this.#last = new Map();
    return problems;
  }

  /** Removes what was compared of the shared log, so that a long run does not grow without end. */
  async forget(storage: Storage): Promise<void> {
    await storage.commit([{ kind: 'trim', log: 'events', through: this.#comparedThrough }]);
  }

  async #compare(storage: Storage): Promise<string[]> {
    const problems: string[] = [];
    const { items } = await storage.list<{ messages: number }>('sessions', { limit: 1000 });
    for (const { id, version, value } of items) {
      if (version !== value.messages) {
        problems.push(`${id} is at version ${version}, but says ${value.messages}`);
      }
      const read = await storage.read<{ number: number }>(`messages/${id}`, { limit: 10_000 });
      problems.push(...messageProblems(id, value.messages, read));
      problems.push(...(await scratchProblems(storage, id, value.messages)));
      const byIndex = await storage.list('sessions', {
        where: [{ field: 'messages', is: value.messages }],
        limit: 1000,
      });
      if (!byIndex.items.some((item) => item.id === id))
        problems.push(`${id} is not found by its index field`);
    }
    const stored = new Map(items.map(({ id, value }) => [id, value.messages]));
    for (const [id, number] of this.#acknowledged) {
      const there = stored.get(id) ?? 0;
      if (there < number) problems.push(`${id}: message ${number} was acknowledged, ${there} is there`);
    }
    problems.push(...(await this.#compareEvents(storage, stored)));
    return problems;
  }

  /** The shared log must hold each message of each session exactly once, in order, without a gap in its own numbers. */
  async #compareEvents(storage: Storage, stored: Map<string, number>): Promise<string[]> {
    for (;;) {
      const entries = await storage.read<{ session: string; number: number }>('events', {
        after: this.#comparedThrough,
        limit: 10_000,
      });
      for (const { sequence, value } of entries) {
        const expected = (this.#compared.get(value.session) ?? 0) + 1;
        if (sequence !== this.#comparedThrough + 1 || value.number !== expected) {
          return [
            `events#${sequence} is message ${value.number} of ${value.session}, ` +
              `not entry ${this.#comparedThrough + 1} with message ${expected}`,
          ];
        }
        this.#compared.set(value.session, expected);
        this.#comparedThrough = sequence;
      }
      if (entries.length === 0) break;
    }
    return [...stored]
      .filter(([id, messages]) => (this.#compared.get(id) ?? 0) !== messages)
      .map(([id, messages]) => `${id} has ${messages} messages, events ${this.#compared.get(id) ?? 0} of it`);
  }
}

async function countsOf(storage: Storage): Promise<Map<string, number>> {
  const { items } = await storage.list<{ messages: number }>('sessions', { limit: 1000 });
  return new Map(items.map(({ id, value }) => [id, value.messages]));
}

function answerProblem(commit: NotedCommit, results: OperationResult[] | string): string | undefined {
  const name = `${commit.session}#${commit.number}`;
  if (typeof results === 'string') return `${name} was sent again by its id and refused: ${results}`;
  const [document, message] = results;
  return document?.version === commit.number && message?.sequence === commit.number
    ? undefined
    : `${name} was sent again by its id and answered ${JSON.stringify(results)}`;
}

/** The log must end where its document says, have no gap behind what was trimmed, and hold its own messages. */
function messageProblems(id: string, messages: number, entries: LogEntry<{ number: number }>[]): string[] {
  const trimmed = messages >= TRIM_EVERY ? Math.floor(messages / TRIM_EVERY) * TRIM_EVERY - TRIM_KEEPS : 0;
  const problems: string[] = [];
  if (entries.length !== messages - trimmed) {
    problems.push(`messages/${id} has ${entries.length} entries, not ${messages - trimmed}`);
  }
  for (const [i, { sequence, value }] of entries.entries()) {
    if (sequence === trimmed + i + 1 && value.number === sequence) continue;
    problems.push(`messages/${id} has ${value.number} as number ${sequence} at place ${trimmed + i + 1}`);
    break;
  }
  return problems;
}

/** Of the small documents those must be there that were made and not yet removed, and no others. */
async function scratchProblems(storage: Storage, session: string, messages: number): Promise<string[]> {
  const last = Math.floor(messages / SCRATCH_EVERY) * SCRATCH_EVERY;
  const expected: string[] = [];
  for (let of = last; of > 0 && of > last - SCRATCH_KEPT; of -= SCRATCH_EVERY) {
    expected.push(`${session}-${of}`);
  }
  const { items } = await storage.list('scratch', {
    where: [{ field: 'session', is: session }],
    limit: 1000,
  });
  const found = items.map(({ id }) => id).sort();
  return found.join() === expected.sort().join()
    ? []
    : [`${session} has the small documents ${found.join()}, not ${expected.join()}`];
}
