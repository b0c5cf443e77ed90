import type { CheckedOperation } from '../checked-input.ts';
import { LEASES } from '../instance-lease.ts';

/**
 * A lease says who is there now: one that waited in the journal would be believed by its holder meanwhile, and be nothing but
 * a conflict with whoever took it when the storage is back.
 */
export function isLease(operations: readonly CheckedOperation[]): boolean {
  return (
    operations.length > 0 &&
    operations.every(
      (operation) =>
        (operation.kind === 'put' || operation.kind === 'delete') && operation.collection === LEASES,
    )
  );
}
