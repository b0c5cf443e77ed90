import { isCoded, messageOf, systemCodeOf } from '../base/errors.ts';
import { fault } from '../contract/index.ts';

/** Turns a system error of the backup folder into one that says what to do; others are passed on as they are. */
export function asDiskFault(error: unknown, folder: string): unknown {
  if (isCoded(error)) return error;
  switch (systemCodeOf(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return fault(
        'storage.full',
        `The disk with the backup folder ${folder} is full.`,
        { folder },
        { cause: error },
      );
    case 'EACCES':
    case 'EEXIST':
    case 'EPERM':
    case 'EROFS':
    case 'ENOTDIR':
      return fault(
        'storage.read_only',
        `The backup folder ${folder} cannot be written to: ${messageOf(error)}.`,
        { folder },
        { cause: error },
      );
    default:
      return error;
  }
}
