import type { CheckedOperation } from '../checked-input.ts';
import type { CommitId } from '../storage.ts';

export type Primitive = string | number | null;

export interface CheckedCommit {
  operations: CheckedOperation[];
  id: CommitId | undefined;
}

/** A commit as one flat list of primitives, which a structured clone copies several times faster than objects. */
export function encodeCommit({ operations, id }: CheckedCommit): Primitive[] {
  const wire: Primitive[] = id === undefined ? [null] : [id.writer, id.number];
  for (const operation of operations) {
    switch (operation.kind) {
      case 'put':
        wire.push('put', operation.collection, operation.id, operation.expectVersion ?? -1);
        wire.push(operation.json, operation.valueCrc, operation.fields, operation.expiresAt);
        break;
      case 'delete':
        wire.push('delete', operation.collection, operation.id, operation.expectVersion ?? -1);
        break;
      case 'append':
        wire.push('append', operation.log, operation.json, operation.valueCrc);
        break;
      case 'trim':
        wire.push('trim', operation.log, operation.through);
        break;
    }
  }
  return wire;
}

/** The inverse of {@link encodeCommit}. */
export function decodeCommit(wire: Primitive[]): CheckedCommit {
  const operations: CheckedOperation[] = [];
  let at = 0;
  const text = () => wire[at++] as string;
  const number = () => wire[at++] as number;
  const writer = wire[at++] as string | null;
  const id = writer === null ? undefined : { writer, number: number() };
  const expectation = () => {
    const version = number();
    return version < 0 ? undefined : version;
  };
  while (at < wire.length) {
    const kind = text() as CheckedOperation['kind'];
    switch (kind) {
      case 'put':
        operations.push({
          kind,
          collection: text(),
          id: text(),
          expectVersion: expectation(),
          json: text(),
          valueCrc: number(),
          fields: text(),
          expiresAt: wire[at++] as number | null,
        });
        break;
      case 'delete':
        operations.push({ kind, collection: text(), id: text(), expectVersion: expectation() });
        break;
      case 'append':
        operations.push({ kind, log: text(), json: text(), valueCrc: number() });
        break;
      case 'trim':
        operations.push({ kind, log: text(), through: number() });
        break;
    }
  }
  return { operations, id };
}
