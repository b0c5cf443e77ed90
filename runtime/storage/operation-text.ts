import type { CheckedOperation } from './checked-input.ts';
import type { Operation } from './storage.ts';

/** The JSON of an operation as a caller gives it. Its value is text already, and goes in as it is. */
export function operationText(operation: CheckedOperation): string {
  switch (operation.kind) {
    case 'put': {
      const { collection, id, expectVersion, expiresAt, json, fields } = operation;
      const head = JSON.stringify({
        kind: 'put',
        collection,
        id,
        expectVersion,
        expiresAt: expiresAt ?? undefined,
      });
      return `${head.slice(0, -1)}${fields === '' ? '' : `,"index":${fields}`},"value":${json}}`;
    }
    case 'append':
      return `{"kind":"append","log":${JSON.stringify(operation.log)},"value":${operation.json}}`;
    default:
      return JSON.stringify(operation);
  }
}

/** The operations as a caller gives them; nobody else holds their values. */
export function toOperations(operations: readonly CheckedOperation[]): Operation[] {
  return JSON.parse(`[${operations.map(operationText).join(',')}]`) as Operation[];
}
