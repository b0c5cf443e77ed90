/**
 * What was noted in a storm, and whether it can be: pure, so that the proof is itself tested. Nothing here waits or reads;
 * every function answers what is wrong, in words.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Operation, OperationResult, SnapshotRecord } from '../../storage.ts';
import type { Break, Moment, Note, Span } from './storm-notes.ts';
import { type Carried, isTrimmed, removalProblems, trimmedThrough } from './storm-removals.ts';
import { byName, few, gapsOf, snapshotProblems } from './storm-snapshot.ts';

interface Answer {
  results: OperationResult[];
  span: Span;
}

interface Commit {
  name: string;
  operations: Operation[];
  answers: Answer[];
  refused: boolean;
  /** When it was sent again and refused, though it had been acknowledged. */
  forgotten: Span[];
}

export class StormHistory {
  readonly #commits = new Map<string, Commit>();
  readonly #reads: Read[] = [];
  /** Of what expires and is deleted. */
  readonly #lapsing: Extract<Note, ['lapsing', ...unknown[]]>[] = [];
  /** Seen in snapshots. */
  readonly #gaps: [log: string, behind: number][] = [];
  readonly #endedSnapshots: [why: string, Span][] = [];
  readonly #breaks: Break[];
  readonly #problems: string[] = [];

  /** `breaks`: those that nobody noted. */
  constructor(notes: Iterable<Note>, breaks: readonly Break[] = []) {
    this.#breaks = [...breaks];
    for (const note of notes) this.#take(note);
    this.#breaks.sort((a, b) => a.began - b.began);
  }

  get counts(): { acknowledged: number; refused: number; unknown: number; reads: number } {
    const commits = [...this.#commits.values()];
    const acknowledged = commits.filter(({ answers }) => answers.length > 0).length;
    const refused = commits.filter((commit) => commit.refused).length;
    return {
      acknowledged,
      refused,
      unknown: commits.length - acknowledged - refused,
      reads: this.#reads.length + this.#lapsing.length,
    };
  }

  /** What is wrong, given what is there in the end; an empty list is the only good answer. */
  problems(found: readonly SnapshotRecord[]): string[] {
    return [
      ...this.#problems,
      ...this.#answerProblems(),
      ...this.#snapshotEndProblems(),
      ...this.#numberProblems(),
      ...this.#readProblems(),
      ...this.#removalProblems(),
      ...this.#leftProblems(),
      ...snapshotProblems(found),
      ...this.#foundProblems(found),
      ...this.#gapProblems(found),
    ];
  }

  #take(note: Note): void {
    switch (note[0]) {
      case 'sent': {
        const [, { writer, number }, operations] = note;
        const name = `${writer}.${number}`;
        this.#commits.set(name, { name, operations, answers: [], refused: false, forgotten: [] });
        return;
      }
      case 'acknowledged': {
        const [, { writer, number }, results, span] = note;
        this.#commits.get(`${writer}.${number}`)?.answers.push({ results, span });
        return;
      }
      case 'refused': {
        const commit = this.#commits.get(`${note[1].writer}.${note[1].number}`);
        if (commit !== undefined) commit.refused = true;
        return;
      }
      case 'forgotten':
        this.#commits.get(`${note[1].writer}.${note[1].number}`)?.forgotten.push(note[2]);
        return;
      case 'document':
      case 'entries':
        this.#reads.push(note);
        return;
      case 'lapsing':
        this.#lapsing.push(note);
        return;
      case 'gap':
        this.#gaps.push([note[1], note[2]]);
        return;
      case 'switched':
        this.#breaks.push(note[1]);
        return;
      case 'snapshot ended':
        this.#endedSnapshots.push([note[1], note[2]]);
        return;
      case 'problem':
        this.#problems.push(note[1]);
    }
  }

  /** A commit that is sent again is answered as it was, unless it had been lost between the two. */
  #answerProblems(): string[] {
    const problems: string[] = [];
    for (const { name, answers, forgotten } of this.#commits.values()) {
      const [first, ...others] = answers;
      if (first === undefined) continue;
      const isLostBy = ({ ended }: Span) => this.#isLost({ began: first.span.began, ended });
      for (const { results, span } of others) {
        if (isDeepStrictEqual(first.results, results) || isLostBy(span)) continue;
        problems.push(
          `${name} was answered ${JSON.stringify(first.results)} and then ${JSON.stringify(results)}`,
        );
      }
      if (forgotten.some((span) => !isLostBy(span)))
        problems.push(`${name} was acknowledged and then refused`);
    }
    return few(problems);
  }

  /**
   * The answers that tell of the data of their time. A commit that is sent again behind a switch of the generation is answered as
   * it was, and what it wrote stays with the generation before.
   */
  #tellingAnswers({ answers }: Commit): Answer[] {
    const [first, ...others] = answers;
    if (first === undefined) return [];
    const { began } = first.span;
    const isOld = ({ results, span: { ended } }: Answer) =>
      isDeepStrictEqual(first.results, results) &&
      this.#breaks.some((one) => one.what === 'switched' && overlaps(one, { began, ended }));
    return [first, ...others.filter((answer) => !isOld(answer))];
  }

  /** What a server knows of a snapshot is lost with all else. */
  #snapshotEndProblems(): string[] {
    return this.#endedSnapshots
      .filter(([, span]) => !this.#isLost(span))
      .map(([why]) => `a snapshot was rejected: ${why}`);
  }

  #isLost(span: Span): boolean {
    return this.#breaks.some((one) => one.what === 'lost' && overlaps(one, span));
  }

  /** No number of a log and no version of a document is given twice. */
  #numberProblems(): string[] {
    const given = new Map<string, string>();
    const problems: string[] = [];
    for (const commit of this.#commits.values()) {
      const { name, operations } = commit;
      for (const { results, span } of this.#tellingAnswers(commit)) {
        for (const [i, operation] of operations.entries()) {
          const number = this.#numberOf(operation, results[i], span);
          if (number === undefined) continue;
          const other = given.get(number);
          if (other !== undefined && other !== name)
            problems.push(`${number} was given to ${other} and ${name}`);
          given.set(number, name);
        }
      }
    }
    return few(problems);
  }

  /** Names the number that an operation was given; undefined when it may be given again. */
  #numberOf(operation: Operation, result: OperationResult | undefined, span: Span): string | undefined {
    if (operation.kind === 'append') {
      const era = this.#eraOf(span, ({ what }) => what === 'lost');
      return era === undefined ? undefined : `${operation.log}#${result?.sequence} (${era})`;
    }
    // A document that is deleted begins anew.
    if (operation.kind !== 'put' || operation.collection === 'lapsing') return undefined;
    const era = this.#eraOf(span, () => true);
    const { collection, id } = operation;
    return era === undefined ? undefined : `${collection}/${id}@${result?.version} (${era})`;
  }

  /** Between which breaks it was; undefined when it was under way at one of them. */
  #eraOf(span: Span, counts: (one: Break) => boolean): number | undefined {
    let era = 0;
    for (const one of this.#breaks) {
      if (!counts(one) || one.began > span.ended) continue;
      if (overlaps(one, span)) return undefined;
      era += 1;
    }
    return era;
  }

  /** Who reads sees at least what had been acknowledged when it began, by whomever; and what was acknowledged, not else. */
  #readProblems(): string[] {
    const problems: string[] = [];
    const acknowledged = this.#acknowledgements();
    const known = new Map<string, Map<number, unknown>>();
    for (const { key, number, value, span } of acknowledged) {
      const era = this.#eraOf(span, () => true);
      if (era === undefined) continue;
      const name = `${key} (${era})`;
      const values = known.get(name) ?? new Map<number, unknown>();
      known.set(name, values.set(number, value));
    }
    // Both in the order of time: for each read the greatest number that had been acknowledged when it began.
    acknowledged.sort((a, b) => a.span.ended - b.span.ended);
    const greatest = new Map<string, number>();
    let next = 0;
    for (const read of this.#reads.toSorted((a, b) => spanOf(a).began - spanOf(b).began)) {
      const span = spanOf(read);
      for (; (acknowledged[next]?.span.ended ?? Number.POSITIVE_INFINITY) < span.began; next++) {
        const { key, number, span: own } = acknowledged[next] as Acknowledged;
        const era = this.#eraOf(own, () => true);
        if (era === undefined) continue;
        const name = `${key} (${era})`;
        greatest.set(name, Math.max(number, greatest.get(name) ?? 0));
      }
      const era = this.#eraOf(span, () => true);
      if (era === undefined) continue;
      const key = read[1];
      const name = `${key} (${era})`;
      const found: [number, unknown][] = read[0] === 'document' ? [[read[2], read[3]]] : read[2];
      const last = found.at(-1)?.[0] ?? 0;
      const expected = greatest.get(name) ?? 0;
      // Of what is trimmed the end may have gone, with all before it.
      const isLast = read[0] === 'document' || (read[3] && (found.length > 0 || !isTrimmed(key)));
      if (isLast && last < expected) {
        problems.push(`${key} was read as ${last}, ${expected} was acknowledged before the read began`);
      }
      for (const [number, value] of found) {
        const said = known.get(name)?.get(number);
        if (said !== undefined && !isDeepStrictEqual(said, value)) {
          problems.push(`${key}#${number} was acknowledged as ${said} and read as ${value}`);
        }
      }
    }
    return few(problems);
  }

  /**
   * A log goes on counting from the greater number of two data sets when the one takes the place of the other: where the
   * copied entries end there may be a gap then, and nowhere else.
   */
  #gapProblems(found: readonly SnapshotRecord[]): string[] {
    const gaps = new Map<string, Set<number>>();
    const add = (log: string, behind: number) => gaps.set(log, (gaps.get(log) ?? new Set()).add(behind));
    for (const [log, behind] of [...gapsOf(found), ...this.#gaps]) add(log, behind);
    for (const read of this.#reads) {
      if (read[0] !== 'entries') continue;
      for (const [i, [sequence]] of read[2].entries()) {
        const before = read[2][i - 1]?.[0];
        if (before !== undefined && sequence !== before + 1) add(read[1], sequence);
      }
    }
    const switches = this.#breaks.filter(({ what }) => what === 'switched').length;
    return [...gaps]
      .filter(([, behind]) => behind.size > switches)
      .map(
        ([log, behind]) =>
          `${log} has gaps before ${[...behind]}; the generation was switched ${switches} times`,
      );
  }

  #removalProblems(): string[] {
    const carried: Carried[] = [];
    for (const commit of this.#commits.values()) {
      const [first] = this.#tellingAnswers(commit);
      if (first !== undefined) carried.push({ operations: commit.operations, ...first });
    }
    const reads = [...this.#lapsing, ...this.#reads.filter(([, name]) => isTrimmed(name))];
    return few(removalProblems(carried, reads, (span) => this.#eraOf(span, () => true)));
  }

  /** What a switch of the generation has left behind is not read any more, as long as nobody brings it back. */
  #leftProblems(): string[] {
    const problems: string[] = [];
    const check = (key: string, value: unknown, span: Span) => {
      if (typeof value !== 'string') return;
      const commit = this.#commits.get(value.replace(/\+$/, ''));
      if (commit === undefined || commit.answers.length === 0) return;
      const ended = Math.max(...commit.answers.map((answer) => answer.span.ended));
      const between = this.#breaks.filter((one) => one.began > ended && one.ended < span.began);
      // What was lost may have been sent again, and come late.
      if (between.some(({ what }) => what === 'lost')) return;
      if (between.some(({ leavesAll }) => leavesAll === true))
        problems.push(`${key} was read as ${value}, which a switch of the generation had left behind`);
    };
    for (const [, id, value, , span] of this.#lapsing) check(`lapsing/${id}`, value, span);
    for (const read of this.#reads) {
      if (read[0] === 'document') check(read[1], read[3], read[4]);
      else for (const [number, value] of read[2]) check(`${read[1]}#${number}`, value, read[4]);
    }
    return few(problems);
  }

  /** Every put of a document that goes on and every entry that was acknowledged. */
  #acknowledgements(): Acknowledged[] {
    const all: Acknowledged[] = [];
    for (const commit of this.#commits.values()) {
      const { operations } = commit;
      for (const { results, span } of this.#tellingAnswers(commit)) {
        for (const [i, operation] of operations.entries()) {
          if (operation.kind === 'append') {
            all.push({ key: operation.log, number: results[i]?.sequence ?? 0, value: operation.value, span });
          } else if (operation.kind === 'put' && operation.collection !== 'lapsing') {
            const key = `${operation.collection}/${operation.id}`;
            all.push({ key, number: results[i]?.version ?? 0, value: operation.value, span });
          }
        }
      }
    }
    return all;
  }

  /** What was acknowledged since the last break is there under its numbers, and nothing that was refused or never sent. */
  #foundProblems(found: readonly SnapshotRecord[]): string[] {
    const { entries, documents } = byName(found);
    const since = Math.max(0, ...this.#breaks.map(({ ended }) => ended));
    const problems: string[] = [];
    const trimmed = new Map<string, number>();
    for (const commit of this.#commits.values()) {
      const { name, operations, answers, refused } = commit;
      if (refused && answers.length > 0) problems.push(`${name} was both refused and acknowledged`);
      const answer = this.#tellingAnswers(commit).find(({ span }) => span.began > since);
      for (const [i, operation] of operations.entries()) {
        if (answer === undefined) continue;
        if (operation.kind === 'trim') {
          const through = trimmedThrough({ operations, results: answer.results }, i);
          trimmed.set(operation.log, Math.max(through, trimmed.get(operation.log) ?? 0));
        }
        const { sequence = 0, version = 0 } = answer.results[i] ?? {};
        if (operation.kind === 'append' && !isTrimmed(operation.log)) {
          const there = entries.get(operation.log)?.get(sequence);
          if (there !== operation.value) {
            problems.push(
              `${operation.log}#${sequence} was acknowledged to ${name}, and is ${there ?? 'not there'}`,
            );
          }
        } else if (operation.kind === 'put' && operation.collection !== 'lapsing') {
          const { collection, id, value } = operation;
          const there = documents.get(`${collection}/${id}`);
          if (there === undefined || there.version < version) {
            problems.push(
              `${collection}/${id} is at ${there?.version ?? 0}, ${version} was acknowledged to ${name}`,
            );
          } else if (there.version === version && !isDeepStrictEqual(there.value, value)) {
            problems.push(`${collection}/${id}@${version} is ${there.value}, acknowledged was ${value}`);
          }
        }
      }
    }
    for (const [log, values] of entries) {
      for (const value of values.values()) {
        const commit = this.#commits.get(value.replace(/\+$/, ''));
        if (commit === undefined) problems.push(`${log} holds ${value}, which nobody has sent`);
        else if (commit.refused) problems.push(`${log} holds ${value}, which was refused`);
      }
    }
    for (const [log, through] of trimmed) {
      for (const sequence of entries.get(log)?.keys() ?? []) {
        if (sequence <= through) problems.push(`${log}#${sequence} is there, ${through} was trimmed`);
      }
    }
    return few(problems);
  }
}

interface Acknowledged {
  key: string;
  number: number;
  value: unknown;
  span: Span;
}

type Read = Extract<Note, ['document' | 'entries', ...unknown[]]>;

function spanOf(read: Read): Span {
  return read[4];
}

function overlaps(one: Span, other: { began: Moment; ended: Moment }): boolean {
  return one.began <= other.ended && other.began <= one.ended;
}
