import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { quickFolder } from '../testing/quick-folder.ts';
import { decodeEntry, encodeEntry, encodeHeader, headerLength, seedOf } from './log-lines.ts';
import { LogReader, type Place } from './log-reader.ts';

const LOG = 'messages/a';
/** The 40th is larger than any buffer that is kept. */
const jsonOf = (sequence: number) =>
  JSON.stringify(`${sequence} é ${'x'.repeat(sequence === 40 ? 700_000 : (sequence * 7_919) % 9_000)}`);
const LAST = 300;
const ALL = Array.from({ length: LAST }, (_, i) => i + 1);

/** A log with entries of very different sizes in a file, all but those of the numbers that are left out. */
async function logFile(without: number[] = []) {
  const folder = await mkdtemp(join(quickFolder(), 'log-reader-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'log');
  const write = async (after: number, to = path) => {
    const lines = ALL.filter((sequence) => sequence > after && !without.includes(sequence)).map((sequence) =>
      Buffer.from(encodeEntry(seedOf(LOG), sequence, 1, jsonOf(sequence))),
    );
    const bytes = headerLength(LOG) + Buffer.concat(lines).length;
    await writeFile(to, Buffer.concat([encodeHeader({ log: LOG, after, last: LAST, bytes }), ...lines]));
    return bytes;
  };
  return { path, write, size: await write(0) };
}

/** Reads the log in parts of so many entries. Answers their numbers, and those that were damaged. */
async function readInParts(path: string, size: number, limit: number, between?: () => Promise<unknown>) {
  const reader = new LogReader({ keepsBuffer: true });
  const found: number[] = [];
  const damaged: number[] = [];
  let begunAnew = 0;
  let ended: Place | undefined;
  for (let after = 0, through = 0; ; after = through) {
    let visited = 0;
    const visitor = {
      entry(bytes: Buffer, start: number, end: number, encoding: 'latin1' | 'utf8') {
        const { sequence, json } = decodeEntry(bytes, start, end, encoding);
        expect(json === jsonOf(sequence)).toBe(true);
        found.push(sequence);
        through = sequence;
        visited += 1;
        return true;
      },
      damaged: (sequences: number[]) => damaged.push(...sequences),
    };
    ended = reader.readPart(path, LOG, size, { after, through: LAST, limit }, visitor, ended);
    if (visited < limit) return { found, damaged, begunAnew };
    if (ended === undefined) begunAnew += 1;
    await between?.();
  }
}

it.each([1, 2, 7, 299, 1_000])('reads a log in parts of %i entries', async (limit) => {
  const { path, size } = await logFile();
  expect(await readInParts(path, size, limit)).toEqual({ found: ALL, damaged: [], begunAnew: 0 });
});

it.each([1, 7])('goes on in another file that has taken the place, in parts of %i', async (limit) => {
  const { path, size, write } = await logFile();
  let parts = 0;
  const replace = async () => {
    parts += 1;
    if (parts % 20 !== 3) return;
    // Without some of the entries that were read, so that all others stand elsewhere.
    await write(Math.min(parts * limit, LAST), `${path}.new`);
    await rename(`${path}.new`, path);
  };
  expect(await readInParts(path, size, limit, replace)).toEqual({ found: ALL, damaged: [], begunAnew: 0 });
});

it.each([1, 3, 7, 1_000])('names what is damaged once, in parts of %i', async (limit) => {
  const { path, size } = await logFile();
  const bytes = await readFile(path);
  const flip = (sequence: number, at: number, bits = 1) => {
    const place = bytes.indexOf(`"sequence":${sequence},`) + at;
    bytes.writeUInt8(bytes.readUInt8(place) ^ bits, place);
  };
  flip(9, 40);
  flip(21, 40);
  flip(22, 40);
  // The line break behind the 29th, which makes one line of two.
  const lineBreak = bytes.indexOf('"sequence":30,') - '{"crc32":"12345678",'.length - 1;
  expect(bytes.readUInt8(lineBreak)).toBe(0x0a);
  bytes.writeUInt8(0x0b, lineBreak);
  await writeFile(path, bytes);
  const { found, damaged } = await readInParts(path, size, limit);
  expect(found).toEqual(ALL.filter((sequence) => ![9, 21, 22].includes(sequence)));
  expect(damaged).toEqual([9, 21, 22]);
});

it('takes numbers that were never given for no damage', async () => {
  const { path, size } = await logFile([5, 6, 7, 100]);
  const found = ALL.filter((sequence) => ![5, 6, 7, 100].includes(sequence));
  expect(await readInParts(path, size, 4)).toEqual({ found, damaged: [], begunAnew: 0 });
});
