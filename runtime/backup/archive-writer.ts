import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import type { Clock } from '../base/clock.ts';
import { ARCHIVE_FORMAT_VERSION, fault, type Manifest } from '../contract/index.ts';
import type { SnapshotRecord } from '../storage/storage.ts';
import { ArchiveCounts } from './archive-counts.ts';
import {
  canonicalLine,
  decodeManifest,
  encodeManifest,
  isLeftOut,
  MANIFEST_NAME,
  PART_LIMIT,
  PART_TARGET,
  partName,
} from './archive-format.ts';
import { LogicalHash } from './logical-hash.ts';
import { Pace } from './pace.ts';
import { TarWriter } from './tar-file.ts';

const compress = promisify(zstdCompress);
/** Level 1 is twice as fast as 3 and its output a fifth larger; the checksum finds bytes that zstd would read wrongly. */
const COMPRESSION = {
  params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 },
};

export interface ArchiveSource {
  /** In the order of `storage.snapshot`. */
  records: AsyncIterable<SnapshotRecord[]>;
  /** The storage adapter that they come from. */
  adapter: string;
  productVersion: string;
  /** Milliseconds since the epoch. */
  createdAt: number;
}

/**
 * Writes an archive into an open, empty file and syncs it. Holds two parts at most in memory, however much there is.
 * Rejects with the signal's reason when aborted, or with what the source or the file rejects with; the file then holds
 * an archive without a manifest, which no reader takes.
 */
export async function writeArchive(
  file: FileHandle,
  source: ArchiveSource,
  options: { clock: Clock; signal: AbortSignal; onRecords: (count: number) => void },
): Promise<Manifest> {
  const { signal } = options;
  const tar = new TarWriter(file, new Date(source.createdAt));
  const parts = new PartWriter(tar);
  const hash = new LogicalHash();
  const counts = new ArchiveCounts();
  const pace = new Pace(options.clock);
  try {
    for await (const batch of source.records) {
      signal.throwIfAborted();
      for (const record of batch) {
        if (isLeftOut(record)) continue;
        const line = canonicalLine(record);
        hash.add(record, line);
        counts.add(record);
        if (parts.isFullWith(line)) await parts.next();
        parts.add(line, record);
        if (pace.over) await pace.pass();
      }
      options.onRecords(counts.records);
    }
    await parts.next();
    const text = encodeManifest({
      format: 'smalltalk-backup',
      formatVersion: ARCHIVE_FORMAT_VERSION,
      productVersion: source.productVersion,
      adapter: source.adapter,
      createdAt: source.createdAt,
      counts: counts.toManifest(),
      parts: await parts.finish(),
      logicalHash: hash.digest(),
    });
    signal.throwIfAborted();
    await tar.add(MANIFEST_NAME, Buffer.from(text));
    await tar.finish();
    await file.sync();
    return decodeManifest(text);
  } catch (error) {
    await parts.abandon();
    await tar.abandon();
    throw error;
  }
}

/** Gathers lines into parts. While a part is compressed and written, the next one is gathered. */
class PartWriter {
  readonly #tar: TarWriter;
  readonly #parts: Manifest['parts'] = [];
  #lines: string[] = [];
  #bytes = 0;
  #number = 0;
  #underWay: Promise<void> = Promise.resolve();

  constructor(tar: TarWriter) {
    this.#tar = tar;
  }

  isFullWith(line: string): boolean {
    return this.#lines.length > 0 && this.#bytes + sizeOf(line) > PART_TARGET;
  }

  add(line: string, record: SnapshotRecord): void {
    const bytes = sizeOf(line);
    if (bytes > PART_LIMIT) {
      throw fault(
        'backup.archive_too_large',
        `${nameOf(record)} has ${bytes} bytes; an archive holds at most ${PART_LIMIT} bytes in one record.`,
      );
    }
    this.#lines.push(line);
    this.#bytes += bytes;
  }

  /** Ends the part under way, if it has begun; resolves when the one before it is written. */
  async next(): Promise<void> {
    await this.#underWay;
    if (this.#lines.length === 0) return;
    const lines = this.#lines;
    this.#lines = [];
    this.#bytes = 0;
    this.#number += 1;
    this.#underWay = this.#write(partName(this.#number), lines);
    // It is awaited with the next part; a failure before that must not end the process.
    this.#underWay.catch(() => undefined);
  }

  async finish(): Promise<Manifest['parts']> {
    await this.next();
    await this.#underWay;
    return this.#parts;
  }

  /** Waits for what is under way; nothing may write to the file any more when the caller closes it. */
  async abandon(): Promise<void> {
    await this.#underWay.catch(() => undefined);
  }

  async #write(name: string, lines: string[]): Promise<void> {
    const plain = Buffer.from(`${lines.join('\n')}\n`);
    const packed = await compress(plain, COMPRESSION);
    await this.#tar.add(name, packed);
    this.#parts.push({
      name,
      bytes: packed.byteLength,
      uncompressedBytes: plain.byteLength,
      records: lines.length,
      sha256: createHash('sha256').update(packed).digest('hex'),
    });
  }
}

/** With its line end. */
const sizeOf = (line: string) => Buffer.byteLength(line) + 1;

function nameOf(record: SnapshotRecord): string {
  if (record.kind === 'document') return `The document ${record.collection}/${record.id}`;
  return record.kind === 'entry' ? `Entry ${record.sequence} of ${record.log}` : `The log ${record.log}`;
}
