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
  // With the small default buffers a part would come in hundreds of pieces.
  chunkSize: 1024 * 1024,
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
  const hash = new LogicalHash();
  const parts = new PartWriter(tar, hash);
  const counts = new ArchiveCounts();
  const pace = new Pace(options.clock);
  try {
    for await (const batch of source.records) {
      signal.throwIfAborted();
      for (const record of batch) {
        if (isLeftOut(record)) continue;
        counts.add(record);
        const full = parts.add(canonicalLine(record), record);
        if (full !== undefined) await full;
        if (pace.over) await pace.pass();
      }
      options.onRecords(counts.records);
    }
    const written = await parts.finish();
    const text = encodeManifest({
      format: 'smalltalk-backup',
      formatVersion: ARCHIVE_FORMAT_VERSION,
      productVersion: source.productVersion,
      adapter: source.adapter,
      createdAt: source.createdAt,
      counts: counts.toManifest(),
      parts: written,
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
  readonly #hash: LogicalHash;
  readonly #parts: Manifest['parts'] = [];
  #part = emptyPart(PART_TARGET);
  #number = 0;
  #underWay: Promise<void> = Promise.resolve();

  constructor(tar: TarWriter, hash: LogicalHash) {
    this.#tar = tar;
    this.#hash = hash;
  }

  /** Undefined when the line was taken; otherwise what has to be awaited until it is. */
  add(line: string, record: SnapshotRecord): Promise<void> | undefined {
    const bytes = Buffer.byteLength(line) + 1;
    if (bytes > this.#part.room) return this.#addToAnother(line, bytes, record);
    this.#part.add(line);
    return undefined;
  }

  /** Writes what is gathered; answers the parts. */
  async finish(): Promise<Manifest['parts']> {
    await this.#next(0);
    await this.#underWay;
    return this.#parts;
  }

  /** Waits for what is under way; nothing may write to the file any more when the caller closes it. */
  async abandon(): Promise<void> {
    await this.#underWay.catch(() => undefined);
  }

  async #addToAnother(line: string, bytes: number, record: SnapshotRecord): Promise<void> {
    if (bytes > PART_LIMIT) {
      throw fault(
        'backup.archive_too_large',
        `${nameOf(record)} has ${bytes} bytes; an archive holds at most ${PART_LIMIT} bytes in one record.`,
      );
    }
    await this.#next(Math.max(bytes, PART_TARGET));
    this.#part.add(line);
  }

  /** Ends the part under way, if it has begun, and begins one of `size` bytes, once the one before is written. */
  async #next(size: number): Promise<void> {
    await this.#underWay;
    const { plain, records } = this.#part;
    this.#part = emptyPart(size);
    if (records === 0) return;
    this.#number += 1;
    this.#hash.addLines(plain);
    this.#underWay = this.#write(partName(this.#number), plain, records);
    // It is awaited with the next part; a failure before that must not end the process.
    this.#underWay.catch(() => undefined);
  }

  async #write(name: string, plain: Buffer, records: number): Promise<void> {
    const packed = await compress(plain, COMPRESSION);
    await this.#tar.add(name, packed);
    this.#parts.push({
      name,
      bytes: packed.byteLength,
      uncompressedBytes: plain.byteLength,
      records,
      sha256: createHash('sha256').update(packed).digest('hex'),
    });
  }
}

/** A part that takes lines of `size` bytes in all; they are encoded where they stay. */
function emptyPart(size: number) {
  const buffer = Buffer.allocUnsafe(size);
  let used = 0;
  let records = 0;
  return {
    get room() {
      return size - used;
    },
    get records() {
      return records;
    },
    get plain() {
      return buffer.subarray(0, used);
    },
    add(line: string) {
      used += buffer.write(line, used);
      used += buffer.write('\n', used);
      records += 1;
    },
  };
}

function nameOf(record: SnapshotRecord): string {
  if (record.kind === 'document') return `The document ${record.collection}/${record.id}`;
  return record.kind === 'entry' ? `Entry ${record.sequence} of ${record.log}` : `The log ${record.log}`;
}
