/**
 * The tar around an archive. It is written by tar-stream, so that every tar program can list and unpack it. It is read by
 * the strict walk below and not by a general extractor: what SmallTalk Console writes is a small part of what tar can
 * say, and whatever is beyond that part (links, devices, long names, sparse files) is refused before it means anything.
 */
import type { FileHandle } from 'node:fs/promises';
import { type Pack, pack } from 'tar-stream';
import type { CodedError } from '../base/errors.ts';
import { damaged, foreign, MANIFEST_NAME, partName, tooLarge } from './archive-format.ts';

const BLOCK = 512;
const END_BYTES = 2 * BLOCK;
/** Entries that an archive may have; as many parts as a manifest of the largest size can name. */
const ENTRY_LIMIT = 100_000;

/** Writes a tar into an open file, one entry of known size after the other; never holds more than one. */
export class TarWriter {
  readonly #pack: Pack = pack();
  readonly #modifiedAt: Date;
  readonly #written: Promise<void>;

  constructor(file: FileHandle, modifiedAt: Date) {
    this.#modifiedAt = modifiedAt;
    this.#written = this.#drain(file);
    // Whoever adds or finishes is told; a failure in between must not end the process.
    this.#written.catch(() => undefined);
  }

  /** Resolves when the file has taken the entry; rejects with the file's error. */
  async add(name: string, bytes: Uint8Array): Promise<void> {
    const added = new Promise<void>((resolve, reject) => {
      const header = { name, size: bytes.byteLength, mode: 0o600, mtime: this.#modifiedAt };
      const entry = this.#pack.entry(header, (error) => (error ? reject(error) : resolve()));
      // The callback tells it; without a listener it would end the process besides.
      entry.on('error', () => undefined);
      entry.end(bytes);
    });
    added.catch(() => undefined);
    await Promise.race([added, this.#written]);
  }

  /** Writes the end of the tar. */
  async finish(): Promise<void> {
    this.#pack.finalize();
    await this.#written;
  }

  /** Gives up; what the file holds by then is of no use. */
  async abandon(): Promise<void> {
    this.#pack.destroy();
    await this.#written.catch(() => undefined);
  }

  async #drain(file: FileHandle): Promise<void> {
    for await (const chunk of this.#pack as AsyncIterable<Uint8Array>) await file.writeFile(chunk);
  }
}

export interface TarEntry {
  name: string;
  /** Where its bytes begin. */
  offset: number;
  size: number;
}

export interface TarIndex {
  /** The entries whose names are right, in the order in which they lie in the file. */
  entries: TarEntry[];
  /** The first thing that an archive of this format never has; the entries from there on are not to be trusted. */
  problem?: CodedError;
}

/** Walks over the headers of a tar, without reading what lies between them. */
export async function readTarIndex(
  file: FileHandle,
  sizeBytes: number,
  signal?: AbortSignal,
): Promise<TarIndex> {
  const entries: TarEntry[] = [];
  let problem: CodedError | undefined;
  let offset = 0;
  const stop = (found: CodedError): TarIndex => ({ entries, problem: problem ?? found });
  if (sizeBytes === 0) return stop(foreign('it is empty'));
  for (let number = 1; ; number++) {
    signal?.throwIfAborted();
    const last = entries.at(-1);
    const place = last === undefined ? 'at its beginning' : `after “${last.name}”`;
    if (number > ENTRY_LIMIT) return stop(tooLarge(`it has more than ${ENTRY_LIMIT} entries`));
    const block = await readExactly(file, offset, BLOCK);
    if (block === undefined) {
      return stop(
        number === 1 ? foreign('it is too short to be one') : damaged(`it ends ${place}, before its own end`),
      );
    }
    if (isZero(block)) {
      const rest = sizeBytes - offset;
      const tail = rest === END_BYTES ? await readExactly(file, offset, END_BYTES) : undefined;
      if (tail === undefined || !isZero(tail))
        return stop(damaged(`its end, ${place}, is not as it was written`));
      return problem === undefined ? { entries } : { entries, problem };
    }
    const header = parseHeader(block);
    if (header === undefined) {
      return stop(
        number === 1
          ? foreign('it is not a tar file')
          : damaged(`the entry ${place} has a header that cannot be read`),
      );
    }
    const { name, size } = header;
    problem ??= objectionTo(header, entries);
    const end = offset + BLOCK + padded(size);
    if (end > sizeBytes) return stop(damaged(`it ends in the middle of “${shown(name)}”`));
    const padding = await readExactly(file, offset + BLOCK + size, padded(size) - size);
    if (padding === undefined || !isZero(padding)) {
      return stop(damaged(`there are foreign bytes behind “${shown(name)}”`));
    }
    if (problem === undefined || name === MANIFEST_NAME) entries.push({ name, offset: offset + BLOCK, size });
    offset = end;
  }
}

/**
 * The last entry of a tar, found from its end: what a list of many large archives needs, without a walk through each.
 * Undefined when it is not within the last `reach` bytes or is not what the name says; the walk tells why.
 */
export async function findLastEntry(
  file: FileHandle,
  sizeBytes: number,
  name: string,
  reach: number,
): Promise<TarEntry | undefined> {
  if (sizeBytes % BLOCK !== 0) return undefined;
  const start = Math.max(0, sizeBytes - reach - (reach % BLOCK));
  const tail = await readExactly(file, start, sizeBytes - start);
  if (tail === undefined) return undefined;
  for (let at = tail.length - END_BYTES - BLOCK; at >= 0; at -= BLOCK) {
    const header = parseHeader(tail.subarray(at, at + BLOCK));
    if (header?.name !== name || header.type !== FILE) continue;
    const fits = at + BLOCK + padded(header.size) + END_BYTES === tail.length;
    return fits ? { name, offset: start + at + BLOCK, size: header.size } : undefined;
  }
  return undefined;
}

/** The size of a tar whose entries have these sizes. */
export function tarSize(sizes: number[]): number {
  return sizes.reduce((sum, size) => sum + BLOCK + padded(size), END_BYTES);
}

/** The bytes of a file from `offset`, or undefined when it has fewer. */
export async function readExactly(
  file: FileHandle,
  offset: number,
  length: number,
): Promise<Buffer | undefined> {
  const buffer = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, offset + filled);
    if (bytesRead === 0) return undefined;
    filled += bytesRead;
  }
  return buffer;
}

/** Names are shown to the user, so they are cut and freed of what could forge the text around them. */
function shown(name: string): string {
  const plain = name.replace(/[^\x20-\x7e]/g, '?');
  return plain.length > 80 ? `${plain.slice(0, 80)}…` : plain;
}

interface TarHeader {
  name: string;
  size: number;
  type: string;
}

const FILE = '0';
const TYPES: Record<string, string> = {
  '1': 'a link',
  '2': 'a link',
  '3': 'a device',
  '4': 'a device',
  '5': 'a folder',
  '6': 'a pipe',
};

/** Why an archive would not have this entry at this place. */
function objectionTo(header: TarHeader, before: TarEntry[]): CodedError | undefined {
  const name = shown(header.name);
  if (header.type !== FILE) {
    return foreign(
      `“${name}” is ${TYPES[header.type] ?? 'something other than a plain file'}, which an archive never holds`,
    );
  }
  const complete = before.at(-1)?.name === MANIFEST_NAME;
  if (!complete && (header.name === MANIFEST_NAME || header.name === partName(before.length + 1)))
    return undefined;
  if (before.some((entry) => entry.name === header.name)) return damaged(`“${name}” is in it twice`);
  if (complete) return foreign(`“${name}” comes after its manifest`);
  return /^parts\/[0-9]{6}\.ndjson\.zst$/.test(header.name)
    ? damaged(`“${name}” is not the part that comes next`)
    : foreign(`it holds “${name}”, which an archive never does`);
}

/** A header block, or undefined when it is none: wrong magic, wrong checksum, or numbers that are not octal. */
function parseHeader(block: Buffer): TarHeader | undefined {
  if (block.toString('latin1', 257, 262) !== 'ustar') return undefined;
  const size = octal(block, 124, 12);
  if (size === undefined || octal(block, 148, 8) !== checksum(block)) return undefined;
  const prefix = text(block, 345, 155);
  const name = text(block, 0, 100);
  return { name: prefix === '' ? name : `${prefix}/${name}`, size, type: block.toString('latin1', 156, 157) };
}

function checksum(block: Buffer): number {
  let sum = 8 * 0x20;
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += block[i] as number;
  return sum;
}

function octal(block: Buffer, offset: number, length: number): number | undefined {
  const digits = /^([0-7]+)[ \0]*$/.exec(block.toString('latin1', offset, offset + length))?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 8);
}

function text(block: Buffer, offset: number, length: number): string {
  return block.toString('latin1', offset, offset + length).replace(/\0.*$/s, '');
}

const padded = (size: number) => Math.ceil(size / BLOCK) * BLOCK;
const ZEROES = Buffer.alloc(END_BYTES);
const isZero = (bytes: Buffer) => bytes.equals(ZEROES.subarray(0, bytes.length));
