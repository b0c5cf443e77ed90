/** Whether something was read again that had gone: expired, replaced or deleted, or trimmed. */
import type { Operation, OperationResult } from '../../storage.ts';
import type { Note, Span } from './storm-notes.ts';

/** A commit that was acknowledged. */
export interface Carried {
  operations: readonly Operation[];
  results: readonly OperationResult[];
  span: Span;
}

/** Between which breaks of the data it was; undefined when it was under way at one of them. */
export type EraOf = (span: Span) => number | undefined;

interface Change {
  key: string;
  /** Null for a delete. */
  value: unknown;
  expiresAt: number;
  span: Span;
}

interface Trim {
  log: string;
  through: number;
  span: Span;
}

export const isTrimmed = (log: string): boolean => log.startsWith('trimmed/');

/** Up to which entry a trim has removed them at least: those behind it may have come later. `at`: its place among the operations. */
export function trimmedThrough(
  { operations, results }: Pick<Carried, 'operations' | 'results'>,
  at: number,
): number {
  const operation = operations[at];
  if (operation?.kind !== 'trim') return 0;
  // The entry that the commit has appended itself, just before.
  return Math.min(operation.through, results[at - 1]?.sequence ?? 0);
}

export function removalProblems(carried: readonly Carried[], reads: readonly Note[], eraOf: EraOf): string[] {
  const changes = new Map<string, Change[]>();
  const trims = new Map<string, Trim[]>();
  for (const { operations, results, span } of carried) {
    for (const [at, operation] of operations.entries()) {
      if (operation.kind === 'trim') {
        const trim = { log: operation.log, through: trimmedThrough({ operations, results }, at), span };
        trims.set(trim.log, [...(trims.get(trim.log) ?? []), trim]);
      } else if (operation.kind !== 'append' && operation.collection === 'lapsing') {
        const change = changeOf(operation, span);
        changes.set(change.key, [...(changes.get(change.key) ?? []), change]);
      }
    }
  }
  const isBetween = (first: Span, one: Span, last: Span) =>
    first.ended < one.began && isBefore(one, last, eraOf) && eraOf(first) === eraOf(one);
  return reads.flatMap((read): string[] => {
    if (read[0] === 'lapsing') {
      const [, id, value, readAt, span] = read;
      const ofIt = changes.get(`lapsing/${id}`) ?? [];
      const put = value === null ? undefined : ofIt.find((one) => one.value === value);
      if (put === undefined) return [];
      const name = `lapsing/${id} was read as ${value}`;
      if (put.expiresAt <= readAt) return [`${name}, which had expired`];
      const later = ofIt.find((one) => isBetween(put.span, one.span, span));
      return later === undefined ? [] : [`${name}, which had become ${later.value ?? 'none'}`];
    }
    if (read[0] !== 'entries') return [];
    const [, log, entries, , span] = read;
    const first = entries[0]?.[0];
    const trim = trims
      .get(log)
      ?.find(
        ({ through, span: own }) => first !== undefined && first <= through && isBefore(own, span, eraOf),
      );
    return trim === undefined ? [] : [`${log} was read from #${first} on, ${trim.through} was trimmed`];
  });
}

function changeOf(operation: Extract<Operation, { kind: 'put' | 'delete' }>, span: Span): Change {
  const key = `${operation.collection}/${operation.id}`;
  if (operation.kind === 'delete') return { key, value: null, expiresAt: Number.POSITIVE_INFINITY, span };
  return { key, value: operation.value, expiresAt: operation.expiresAt ?? Number.POSITIVE_INFINITY, span };
}

/** The one was over before the other began, on the same data. */
function isBefore(one: Span, other: Span, eraOf: EraOf): boolean {
  if (one.ended >= other.began) return false;
  const era = eraOf(one);
  return era !== undefined && era === eraOf(other);
}
