import fs from 'node:fs';
import { systemCodeOf } from '../../base/errors.ts';
import type { Disk } from './disk.ts';
import { damagedEntry } from './generation-files.ts';
import type { FaultNotice, ScannedLog } from './keeper-calls.ts';
import { LineScanner } from './line-scanner.ts';
import { decodeHeader, encodeHeader, headerLength, type LogHeader, seedOf, sequenceIn } from './log-lines.ts';

/** Most missing entries that are named one by one. */
const MOST_NAMED = 100;

interface Inspected {
  /** The smallest and the greatest number of a whole entry, 0 for none. */
  first: number;
  last: number;
  /** Where the last whole line ends. */
  end: number;
  /** Bytes of the file. */
  size: number;
}

/**
 * Makes a log ready for appends from the number `next` on, which are in the journal: what is there of them already was
 * perhaps written in part, and is cut. What is missing before them is named.
 */
export function cutForReplay(
  file: string,
  log: string,
  next: number,
  disk: Disk,
  onFault: (fault: FaultNotice) => void,
): ScannedLog {
  let fd: number;
  try {
    fd = fs.openSync(file, 'r+');
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
    return { log, after: next - 1, last: next - 1, size: 0 };
  }
  try {
    const header = readHeader(fd, log);
    const found = inspect(fd, log, next);
    const after = header?.after ?? (found.first === 0 ? next - 1 : found.first - 1);
    // Less than was said to be there, or something behind the last entry that is whole: entries were damaged.
    const lost = found.size < (header?.bytes ?? 0) || found.damagedBefore;
    if (lost)
      reportMissing(log, Math.max(found.last, after), Math.min(next - 1, header?.last ?? next - 1), onFault);
    if (found.end < found.size) disk.truncate(fd, found.end);
    return { log, after: Math.min(after, next - 1), last: next - 1, size: found.end };
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * Puts right a log whose first line is damaged, or whose size is not the one that the first line says: what is behind the
 * last whole entry, or behind the end that it had, is set aside, and what is missing is named.
 */
export function mendEnd(
  file: string,
  log: string,
  header: LogHeader | undefined,
  disk: Disk,
  onFault: (fault: FaultNotice) => void,
  setAside: (bytes: Buffer[]) => void,
): ScannedLog {
  const fd = fs.openSync(file, 'r+');
  try {
    const found = inspect(fd, log, Number.POSITIVE_INFINITY);
    const longer = header !== undefined && found.size > header.bytes;
    const end = longer ? header.bytes : found.end;
    if (longer) {
      onFault({
        record: `log ${log}`,
        message: `Something was added to the file of the log ${log} that is not of this storage; it was set aside.`,
      });
    }
    if (end < found.size) {
      const rest = Buffer.allocUnsafe(found.size - end);
      fs.readSync(fd, rest, 0, rest.length, end);
      setAside([rest]);
      disk.truncate(fd, end);
    }
    const last = header?.last ?? found.last;
    const after = header?.after ?? Math.max(found.first - 1, 0);
    if (!longer) reportMissing(log, Math.max(found.last, after), last, onFault);
    disk.write(fd, encodeHeader({ log, after, last, bytes: Math.max(end, headerLength(log)) }), 0);
    disk.sync(fd);
    return { log, after, last, size: Math.max(end, headerLength(log)) };
  } finally {
    fs.closeSync(fd);
  }
}

function readHeader(fd: number, log: string): LogHeader | undefined {
  const scanner = new LineScanner(fd, 0);
  if (!scanner.next() || !scanner.terminated) return undefined;
  const header = decodeHeader(scanner.line);
  return header?.log === log ? header : undefined;
}

/** Goes through all entries with smaller numbers than `next`. */
function inspect(fd: number, log: string, next: number): Inspected & { damagedBefore: boolean } {
  const seed = seedOf(log);
  const { size } = fs.fstatSync(fd);
  const start = Math.min(headerLength(log), size);
  const found = { first: 0, last: 0, end: start, size, damagedBefore: false };
  let damaged = false;
  const scanner = new LineScanner(fd, start);
  while (scanner.next() && scanner.terminated) {
    const sequence = sequenceIn(scanner.bytes, scanner.start, scanner.end, seed);
    if (sequence >= next) break;
    if (sequence === 0) {
      damaged = true;
      continue;
    }
    if (found.first === 0) found.first = sequence;
    found.last = sequence;
    found.end = scanner.following;
    damaged = false;
  }
  found.damagedBefore = damaged && found.last < next - 1;
  return found;
}

function reportMissing(
  log: string,
  there: number,
  last: number,
  onFault: (fault: FaultNotice) => void,
): void {
  for (let sequence = there + 1; sequence <= Math.min(last, there + MOST_NAMED); sequence++) {
    onFault(damagedEntry(log, sequence));
  }
}
