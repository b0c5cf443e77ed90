import { type CodedError, isCoded, messageOf, systemCodeOf } from '../../base/errors.ts';
import { type ErrorCode, fault } from '../../contract/error-codes.ts';

/** Turns what the file system threw into an error of the port that says what happened in which folder. */
export function asFileFault(error: unknown, folder: string): CodedError {
  if (isCoded(error)) return error;
  const code = systemCodeOf(error) ?? '';
  const [faultCode, sentence] = explain(code);
  return fault(
    faultCode,
    `${sentence} (${folder}: ${messageOf(error)})`,
    { folder, cause: code },
    { cause: error },
  );
}

function explain(code: string): [ErrorCode, string] {
  if (/^(ENOSPC|EDQUOT|SQLITE_FULL)$/.test(code)) {
    return ['storage.full', 'The disk is full: free some space, and writing goes on by itself.'];
  }
  // ENOENT and ENOTDIR: what is said of folders that should be made where none can be. SQLite's: of the lock.
  if (/^(EACCES|EPERM|EROFS|ENOENT|ENOTDIR|EEXIST)$|^SQLITE_(READONLY|CANTOPEN|PERM)/.test(code)) {
    return ['storage.read_only', 'The data folder cannot be written to: check its owner and its rights.'];
  }
  return ['storage.failed', 'The storage failed.'];
}
