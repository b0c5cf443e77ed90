import fs, { type Dirent } from 'node:fs';
import { join } from 'node:path';
import { type Disk, TEMPORARY_ENDING } from './disk.ts';
import { type DocumentHead, decodeHead, isWholeDocument } from './document-file.ts';
import { DOCUMENT_ENDING, documentPath, LOG_ENDING, logPath, recordOfPath } from './file-names.ts';
import { GenerationFiles } from './generation-files.ts';
import type { ScannedGeneration, ScannedLog } from './keeper-calls.ts';
import { decodeHeader, type LogHeader } from './log-lines.ts';
import { mendEnd } from './log-repair.ts';

/** The first bytes of a file, in which a head or the first line usually ends. */
const FIRST_BYTES = 16 * 1024;

/**
 * Looks at every file of a generation, at its first bytes only: what lies where, and whether it is what was written there.
 * What is not is moved to `asideFolder` and reported. Temporary files that a kill left are removed.
 */
export function scanGeneration(folder: string, disk: Disk, asideFolder: string): ScannedGeneration {
  const scan: ScannedGeneration = { folder, documents: [], logs: [], sizeBytes: 0, faults: [] };
  const files = new GenerationFiles({ folder, disk, keptFolder: '', asideFolder, logs: [], sizeBytes: 0 });
  const buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);

  const report = (record: string, message: string) => scan.faults.push({ record, message });
  const setAside = (path: string, record: string, what: string) => {
    files.setAside(path);
    report(record, `The file ${path} ${what}; it was set aside, and what it held is not served.`);
  };

  const misplaced = (path: string, of: string) =>
    setAside(path, recordOfPath(path), `is that of ${of}, which does not belong there`);

  const visit = (path: string): void => {
    for (const entry of fs.readdirSync(join(folder, path), { withFileTypes: true })) {
      const child = path === '' ? entry.name : `${path}/${entry.name}`;
      if (entry.isDirectory() && !entry.name.startsWith('.')) {
        visit(child);
        disk.removeFolderIfEmpty(join(folder, child));
      } else if (isTemporary(entry)) disk.remove(join(folder, child));
      else if (entry.isFile() && entry.name.endsWith(DOCUMENT_ENDING)) scanDocument(child);
      else if (entry.isFile() && entry.name.endsWith(LOG_ENDING)) scanLog(child);
    }
  };

  const scanDocument = (path: string): void => {
    const { size, head } = readHead(join(folder, path), buffer);
    if (head === undefined) {
      setAside(path, recordOfPath(path), 'failed its checksum');
      return;
    }
    const { collection, id } = head;
    if (documentPath(collection, id) !== path) {
      misplaced(path, `${collection}/${id}`);
      return;
    }
    scan.documents.push(head);
    scan.sizeBytes += size;
  };

  const scanLog = (path: string): void => {
    const file = join(folder, path);
    const { size, header } = readHeader(file, buffer);
    if (header !== undefined && logPath(header.log) !== path) {
      misplaced(path, header.log);
      return;
    }
    let log: ScannedLog | undefined;
    if (header === undefined || header.bytes !== size) {
      const name = header?.log ?? recordOfPath(path).slice('log '.length);
      if (logPath(name) !== path) {
        setAside(path, recordOfPath(path), 'failed its checksum');
        return;
      }
      if (header === undefined) report(`log ${name}`, `The first line of ${path} failed its checksum.`);
      log = mendEnd(
        file,
        name,
        header,
        disk,
        (fault) => scan.faults.push(fault),
        (bytes) => files.writeAside(path, bytes),
      );
    } else log = { log: header.log, after: header.after, last: header.last, size };
    scan.logs.push(log);
    scan.sizeBytes += log.size;
  };

  visit('');
  disk.syncFolders();
  return scan;
}

function isTemporary(entry: Dirent): boolean {
  return entry.isFile() && entry.name.startsWith('.') && entry.name.endsWith(TEMPORARY_ENDING);
}

function readHead(file: string, buffer: Buffer): { size: number; head: DocumentHead | undefined } {
  const { size, bytes } = readFirst(file, buffer);
  if (bytes.length === size) {
    const head = isWholeDocument(bytes) ? decodeHead(bytes) : undefined;
    return { size, head: head === 'more' ? undefined : head };
  }
  const head = decodeHead(bytes);
  // Index fields may be long.
  const read = head === 'more' ? decodeHead(fs.readFileSync(file)) : head;
  return { size, head: read === 'more' ? undefined : read };
}

function readHeader(file: string, buffer: Buffer): { size: number; header: LogHeader | undefined } {
  const { size, bytes } = readFirst(file, buffer);
  const end = bytes.indexOf(0x0a);
  return { size, header: end < 0 ? undefined : decodeHeader(bytes.subarray(0, end)) };
}

function readFirst(file: string, buffer: Buffer): { size: number; bytes: Buffer } {
  const fd = fs.openSync(file, 'r');
  try {
    const read = fs.readSync(fd, buffer, 0, buffer.length, 0);
    return { size: read < buffer.length ? read : fs.fstatSync(fd).size, bytes: buffer.subarray(0, read) };
  } finally {
    fs.closeSync(fd);
  }
}
