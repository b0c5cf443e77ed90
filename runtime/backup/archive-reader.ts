/**
 * Reads archives, none of which is trusted: sizes and counts are bounded before anything is unpacked, every part is
 * compared with its checksum before it is unpacked, every record is checked before it is handed on, and the whole is
 * compared with the manifest at the end. Writes nothing anywhere.
 */
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { constants as fsConstants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import type { Clock } from '../base/clock.ts';
import { messageOf, systemCodeOf } from '../base/errors.ts';
import { fault, type Manifest } from '../contract/index.ts';
import { SnapshotRecordCheck } from '../storage/checked-input.ts';
import { compareText } from '../storage/collation.ts';
import type { SnapshotRecord } from '../storage/storage.ts';
import { ArchiveCounts } from './archive-counts.ts';
import {
  damaged,
  decodeManifest,
  foreign,
  isLeftOut,
  MANIFEST_LIMIT,
  MANIFEST_NAME,
  PART_LIMIT,
  PART_TARGET,
  RATIO_FREE_BYTES,
  RATIO_LIMIT,
  recordSchema,
  SHARED_PART_LIMIT,
  tooLarge,
} from './archive-format.ts';
import { LogicalHash } from './logical-hash.ts';
import { Pace } from './pace.ts';
import { findLastEntry, readExactly, readTarIndex, type TarEntry, tarSize } from './tar-file.ts';

const decompress = promisify(zstdDecompress);
/** Bytes from the end in which the manifest is looked for before the whole file is walked through. */
const TAIL = 256 * 1024;
/** Records that are handed on at once. */
const BATCH = 500;
/** zlib takes no smaller buffers for its output; with its small default ones a part would come in hundreds of pieces. */
const LEAST_CHUNK = 64;
const LINE_END = 10;

/** An open archive whose structure is right: the manifest, and the parts that it names, in files of the right size. */
export interface Archive {
  readonly manifest: Manifest;
  readonly sizeBytes: number;
  /** Uncompressed bytes of all parts. */
  readonly uncompressedBytes: number;
  /**
   * All records, each checked. Only when the iteration has come to its end is the archive known to be whole: it rejects
   * with `backup.archive_damaged` at the first thing that is not as the manifest says, at the latest behind the last
   * record. Once it has been known to be whole, a further reading relies on the checksums of the parts, which show that
   * they are still what was checked.
   */
  records(options: ReadOptions): AsyncIterable<SnapshotRecord[]>;
  /** Reads everything; resolves when the archive is whole, and rejects as the reading of its records does. */
  check(options: ReadOptions): Promise<void>;
  close(): Promise<void>;
}

export interface ReadOptions {
  clock: Clock;
  signal: AbortSignal;
  /** Told how many uncompressed bytes are done. */
  onBytes?: (done: number) => void;
}

/**
 * Opens an archive. Rejects with `backup.archive_foreign`, `backup.archive_damaged`, `backup.archive_too_new`,
 * `backup.archive_too_large`, or `backup.not_found` when there is no such file.
 */
export async function openArchive(path: string, signal?: AbortSignal): Promise<Archive> {
  const { file, sizeBytes } = await openPlainFile(path);
  try {
    const { entries, problem } = await readTarIndex(file, sizeBytes, signal);
    const manifestEntry = entries.find(({ name }) => name === MANIFEST_NAME);
    // Read first: of a newer format it is the version that matters, not what else looks strange to this version.
    const manifest = manifestEntry && (await readManifestEntry(file, manifestEntry));
    if (problem !== undefined) throw problem;
    if (manifest === undefined) throw damaged('it has no manifest, so it was never complete');
    const parts = entries.slice(0, -1);
    comparePartsWithEntries(manifest, parts);
    checkSizes(manifest, sizeBytes);
    return new OpenArchive(file, sizeBytes, manifest, parts);
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * The manifest alone, fast however large the archive is, and checked against the size of the file. Says nothing about the
 * content of the parts. Rejects as {@link openArchive} does.
 */
export async function readManifest(path: string): Promise<{ manifest: Manifest; sizeBytes: number }> {
  const { file, sizeBytes } = await openPlainFile(path);
  try {
    const entry = await findLastEntry(file, sizeBytes, MANIFEST_NAME, TAIL);
    if (entry !== undefined) {
      const manifest = await readManifestEntry(file, entry);
      const expected = tarSize([...manifest.parts.map(({ bytes }) => bytes), entry.size]);
      if (expected === sizeBytes) return { manifest, sizeBytes };
    }
  } finally {
    await file.close();
  }
  const archive = await openArchive(path);
  await archive.close();
  return { manifest: archive.manifest, sizeBytes };
}

/** Opens a file that is a plain file and no link to one: a link in the backup folder could point anywhere. */
export async function openPlainFile(path: string): Promise<{ file: FileHandle; sizeBytes: number }> {
  // O_NONBLOCK: a pipe that lies there would otherwise be waited for. Windows has neither flag.
  const flags = fsConstants.O_RDONLY | (fsConstants.O_NOFOLLOW ?? 0) | (fsConstants.O_NONBLOCK ?? 0);
  let file: FileHandle;
  try {
    file = await open(path, flags);
  } catch (error) {
    switch (systemCodeOf(error)) {
      case 'ENOENT':
        throw fault('backup.not_found', 'The archive is not there any more.');
      case 'ELOOP':
        throw foreign('it is a link, which is not followed');
      case 'ENXIO':
        throw foreign('it is not a plain file');
      default:
        throw damaged(`it cannot be read (${messageOf(error)})`);
    }
  }
  const stat = await file.stat();
  if (stat.isFile()) return { file, sizeBytes: stat.size };
  await file.close();
  throw foreign('it is not a plain file');
}

async function readManifestEntry(file: FileHandle, entry: TarEntry): Promise<Manifest> {
  if (entry.size > MANIFEST_LIMIT) throw tooLarge(`its manifest has ${entry.size} bytes`);
  const bytes = await readExactly(file, entry.offset, entry.size);
  if (bytes === undefined || !isUtf8(bytes)) throw damaged('its manifest is not text');
  return decodeManifest(bytes.toString('utf8'));
}

function comparePartsWithEntries(manifest: Manifest, entries: TarEntry[]): void {
  for (const [i, part] of manifest.parts.entries()) {
    const entry = entries[i];
    if (entry === undefined) throw damaged(`“${part.name}” is missing`);
    if (entry.name !== part.name) throw damaged(`“${entry.name}” is where its manifest has “${part.name}”`);
    if (entry.size !== part.bytes) {
      throw damaged(`“${part.name}” has ${entry.size} bytes, and ${part.bytes} in its manifest`);
    }
  }
  const surplus = entries[manifest.parts.length];
  if (surplus !== undefined) throw damaged(`“${surplus.name}” is not in its manifest`);
}

/** Bounds what the parts may unpack to, before any of them is. */
function checkSizes(manifest: Manifest, sizeBytes: number): void {
  let total = 0;
  let records = 0;
  for (const part of manifest.parts) {
    const limit = part.records === 1 ? PART_LIMIT : SHARED_PART_LIMIT;
    if (part.uncompressedBytes > limit) {
      throw tooLarge(`“${part.name}” would unpack to ${part.uncompressedBytes} bytes; ${limit} are accepted`);
    }
    total += part.uncompressedBytes;
    records += part.records;
  }
  if (total > RATIO_FREE_BYTES + RATIO_LIMIT * sizeBytes) {
    throw tooLarge(`its ${sizeBytes} bytes would unpack to ${total}, which no honest archive does`);
  }
  if (records !== manifest.counts.records) {
    throw damaged(`its parts have ${records} records, and ${manifest.counts.records} in its manifest`);
  }
}

class OpenArchive implements Archive {
  readonly manifest: Manifest;
  readonly sizeBytes: number;
  readonly uncompressedBytes: number;
  readonly #file: FileHandle;
  readonly #entries: TarEntry[];
  /** All of it has been read, and was as it should be. */
  #whole = false;

  constructor(file: FileHandle, sizeBytes: number, manifest: Manifest, entries: TarEntry[]) {
    this.#file = file;
    this.#entries = entries;
    this.manifest = manifest;
    this.sizeBytes = sizeBytes;
    this.uncompressedBytes = manifest.parts.reduce((sum, part) => sum + part.uncompressedBytes, 0);
  }

  async *records(options: ReadOptions): AsyncGenerator<SnapshotRecord[]> {
    const { signal } = options;
    const pace = new Pace(options.clock);
    const checks = this.#whole ? undefined : new WholeCheck(this.manifest);
    let done = 0;
    for (const [i, part] of this.manifest.parts.entries()) {
      signal.throwIfAborted();
      const plain = await this.#unpack(part, this.#entries[i] as TarEntry);
      checks?.beginPart(plain);
      let batch: SnapshotRecord[] = [];
      let records = 0;
      for (let start = 0; start < plain.length; ) {
        const end = plain.indexOf(LINE_END, start);
        if (end < 0) throw damaged(`“${part.name}” ends in the middle of a line`);
        records += 1;
        const line = plain.toString('utf8', start, end);
        // What has been checked once was a record, and its bytes have just been shown to be the same.
        batch.push(
          checks?.record(line, `record ${records} of “${part.name}”`) ?? (JSON.parse(line) as SnapshotRecord),
        );
        start = end + 1;
        if (batch.length >= BATCH) {
          yield batch;
          batch = [];
        }
        if (pace.over) {
          await pace.pass();
          signal.throwIfAborted();
        }
      }
      if (records !== part.records) {
        throw damaged(`“${part.name}” has ${records} records, and ${part.records} in its manifest`);
      }
      if (batch.length > 0) yield batch;
      done += plain.byteLength;
      options.onBytes?.(done);
    }
    checks?.end();
    this.#whole = true;
  }

  async check(options: ReadOptions): Promise<void> {
    for await (const _ of this.records(options));
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #unpack(part: Manifest['parts'][number], entry: TarEntry): Promise<Buffer> {
    const packed = await readExactly(this.#file, entry.offset, entry.size);
    if (packed === undefined) throw damaged(`it ends in the middle of “${part.name}”`);
    if (createHash('sha256').update(packed).digest('hex') !== part.sha256) {
      throw damaged(`“${part.name}” has changed since it was written`);
    }
    let plain: Buffer;
    try {
      // One byte more than there should be is never made, whatever the part says of itself.
      const chunkSize = Math.min(Math.max(part.uncompressedBytes, LEAST_CHUNK), PART_TARGET);
      plain = await decompress(packed, { maxOutputLength: part.uncompressedBytes, chunkSize });
    } catch (error) {
      throw systemCodeOf(error) === 'ERR_BUFFER_TOO_LARGE'
        ? tooLarge(`“${part.name}” unpacks to more than the ${part.uncompressedBytes} bytes in its manifest`)
        : damaged(`“${part.name}” cannot be unpacked (${messageOf(error)})`);
    }
    if (plain.byteLength !== part.uncompressedBytes) {
      throw damaged(
        `“${part.name}” unpacks to ${plain.byteLength} bytes, and ${part.uncompressedBytes} in its manifest`,
      );
    }
    if (!isUtf8(plain)) throw damaged(`“${part.name}” is not text`);
    return plain;
  }
}

/** What is checked over all parts of an archive. */
class WholeCheck {
  readonly #manifest: Manifest;
  readonly #hash = new LogicalHash();
  readonly #counts = new ArchiveCounts();
  readonly #order = new RecordOrder();

  constructor(manifest: Manifest) {
    this.#manifest = manifest;
  }

  beginPart(plain: Uint8Array): void {
    this.#hash.addLines(plain);
  }

  record(line: string, where: string): SnapshotRecord {
    const record = parseRecord(line, where);
    this.#order.check(record);
    this.#counts.add(record);
    return record;
  }

  end(): void {
    if (JSON.stringify(this.#counts.toManifest()) !== JSON.stringify(sortedCounts(this.#manifest.counts))) {
      throw damaged('it does not hold as many records of each kind as its manifest says');
    }
    if (this.#hash.digest() !== this.#manifest.logicalHash) {
      throw damaged('its records are not those that its manifest was made of');
    }
  }
}

function sortedCounts(counts: Manifest['counts']): Manifest['counts'] {
  const sorted = (of: Record<string, number>) =>
    Object.fromEntries(Object.entries(of).sort(([a], [b]) => (a < b ? -1 : 1)));
  return { records: counts.records, documents: sorted(counts.documents), logs: sorted(counts.logs) };
}

function parseRecord(line: string, where: string): SnapshotRecord {
  let raw: unknown;
  try {
    raw = JSON.parse(line);
  } catch {
    throw damaged(`${where} is not JSON`);
  }
  const parsed = recordSchema.safeParse(raw);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw damaged(`${where} is not valid (${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''})`);
  }
  const record = parsed.data as SnapshotRecord;
  if (isLeftOut(record)) throw damaged(`${where} is a job, which archives leave out`);
  return record;
}

/** Checks names and values of records as the storage does, and that each comes after the one before, none twice. */
class RecordOrder {
  readonly #check = new SnapshotRecordCheck();
  #previous: SnapshotRecord | undefined;

  check(record: SnapshotRecord): void {
    try {
      this.#check.check(record);
    } catch (error) {
      throw damaged(`it holds a record that no storage does (${messageOf(error)})`);
    }
    const { kind } = record;
    const before = this.#previous;
    // The storage's check has seen to it that entries stand in their log, in order.
    if (kind === 'entry') return;
    if (before !== undefined) {
      const inOrder =
        before.kind === 'document'
          ? kind === 'log' ||
            (compareText(before.collection, record.collection) || compareText(before.id, record.id)) < 0
          : kind === 'log' && compareText(before.log, record.log) < 0;
      if (!inOrder) throw damaged('its records are not in their order, or one is there twice');
    }
    this.#previous = record;
  }
}
