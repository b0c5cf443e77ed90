import type { CodedError } from '../base/errors.ts';
import { fault } from '../contract/error-codes.ts';

/** The answer to a put or delete that expected another version; `data.current` is the one that is there, 0 for none. */
export function versionConflict(
  collection: string,
  id: string,
  expected: number,
  current: number,
): CodedError {
  return fault(
    'storage.version_conflict',
    `${collection}/${id} is at version ${current}, not ${expected}: somebody else changed it meanwhile.`,
    { collection, id, expected, current },
  );
}
