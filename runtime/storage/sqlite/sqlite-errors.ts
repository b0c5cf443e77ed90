import { type CodedError, isCoded, messageOf, systemCodeOf } from '../../base/errors.ts';
import { type ErrorCode, fault } from '../../contract/error-codes.ts';

/** Turns what SQLite or the file system threw into an error of the port that says what happened to which file. */
export function asStorageFault(error: unknown, file: string): CodedError {
  if (isCoded(error)) return error;
  const code = systemCodeOf(error) ?? '';
  const [faultCode, sentence] = explain(code);
  return fault(
    faultCode,
    `${sentence} (${file}: ${messageOf(error)})`,
    { file, cause: code },
    { cause: error },
  );
}

function explain(code: string): [ErrorCode, string] {
  // SHMSIZE: there was no room for the index of the WAL, which is made anew at each open.
  if (/^(SQLITE_FULL|SQLITE_IOERR_SHMSIZE|ENOSPC|EDQUOT)$/.test(code)) {
    return ['storage.full', 'The disk is full: free some space, and writing goes on by itself.'];
  }
  // ENOENT: what Node says when it is to make nested folders on a read-only file system.
  if (/^SQLITE_(READONLY|CANTOPEN|PERM)|^(EACCES|EPERM|EROFS|ENOENT|ENOTDIR|EEXIST)$/.test(code)) {
    return ['storage.read_only', 'The data folder cannot be written to: check its owner and its rights.'];
  }
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) {
    return ['storage.corrupt', 'The data file is damaged; it was left as it is. Restore a backup.'];
  }
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) {
    return ['storage.locked', 'Another process uses the data file.'];
  }
  return ['storage.failed', 'The storage failed.'];
}
