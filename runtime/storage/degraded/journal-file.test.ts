import { execFileSync } from 'node:child_process';
import { appendFile, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkOperations } from '../checked-input.ts';
import { JournalFile, journalFiles } from './journal-file.ts';
import { commitLine, type JournaledCommit } from './journal-lines.ts';

let folder: string;
const opened: JournalFile[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'smalltalk-journal-'));
});

afterEach(async () => {
  for (const file of opened.splice(0)) await file.close();
  await rm(folder, { recursive: true, force: true });
});

function create(into = folder): JournalFile {
  const header = { journal: 1, id: 'first', type: 'remote', location: 'here', createdAt: 1 } as const;
  const file = JournalFile.create(into, header, async () => undefined);
  opened.push(file);
  return file;
}

const lineOf = (number: number, value: unknown = `value ${number}`) =>
  commitLine({ writer: 'w', number }, number, checkOperations([{ kind: 'append', log: 'events', value }]), [
    number,
  ]);

/** Appends a line; resolves once it is on the disk. */
function append(file: JournalFile, number: number, value?: unknown): Promise<void> {
  return new Promise((resolve, reject) => file.append(lineOf(number, value), resolve, reject));
}

async function reopen(damagedLines: number[] = []): Promise<JournalFile> {
  const [path = ''] = await journalFiles(folder);
  const file = await JournalFile.open(path, (line) => damagedLines.push(line));
  if (file === undefined) throw new Error('There is no journal.');
  opened.push(file);
  return file;
}

async function commitsIn(file: JournalFile): Promise<JournaledCommit[]> {
  const commits: JournaledCommit[] = [];
  for await (const { commit } of file.undrained()) commits.push(commit);
  return commits;
}

const numbersIn = async (file: JournalFile) => (await commitsIn(file)).map(({ id }) => id.number);

describe('JournalFile', () => {
  it('gives back what was appended, with modes that keep others out', async () => {
    const file = create();
    const value = { text: 'ä😀\u0000\n"', deep: [1, null, { x: -0.5 }] };
    await append(file, 1, value);
    await append(file, 2);
    const [first] = await commitsIn(file);
    expect(first).toEqual({
      id: { writer: 'w', number: 1 },
      at: 1,
      numbers: [1],
      operations: [{ kind: 'append', log: 'events', value }],
    });
    expect(file.commits).toBe(2);
    expect((await stat(file.path)).mode & 0o777).toBe(0o600);
    await file.close();
    expect(await numbersIn(await reopen())).toEqual([1, 2]);
  });

  it('keeps the fields of a put as they were', () => {
    const operations = [
      { kind: 'put', collection: 'a', id: 'x', value: null, index: { n: 1 }, expectVersion: 0, expiresAt: 5 },
      { kind: 'put', collection: 'a', id: '__proto__', value: JSON.parse('{"__proto__": 1}') },
      { kind: 'delete', collection: 'a', id: 'x', expectVersion: 3 },
      { kind: 'trim', log: 'events', through: 7 },
    ] as const;
    const line = commitLine({ writer: 'w', number: 1 }, 1, checkOperations([...operations]), [1, 1, 0, 0]);
    expect(JSON.parse(line.slice(9)).operations).toEqual(operations);
  });

  it('cuts off a last line that was torn at any byte, and goes on behind it', async () => {
    const file = create();
    await append(file, 1);
    await append(file, 2);
    await file.close();
    const whole = await readFile(file.path);
    const end = whole.subarray(0, -1).lastIndexOf('\n') + 1;
    for (let length = end; length < whole.length; length += 7) {
      await writeFile(file.path, whole.subarray(0, length));
      const damaged: number[] = [];
      const again = await reopen(damaged);
      expect(await numbersIn(again)).toEqual([1]);
      expect(damaged).toEqual([]);
      await append(again, 3);
      expect(await numbersIn(again)).toEqual([1, 3]);
      await again.close();
    }
    expect((await readdir(folder)).filter((name) => name.includes('damaged'))).toEqual([]);
  });

  it('finds every flipped bit, names the line, keeps it, and reads the others', async () => {
    const file = create();
    for (let number = 1; number <= 3; number++) await append(file, number);
    await file.close();
    const whole = await readFile(file.path);
    const begin = whole.indexOf('\n', whole.indexOf('\n') + 1) + 1;
    const end = whole.indexOf('\n', begin);
    for (let at = begin; at < end; at += 3) {
      const bytes = Buffer.from(whole);
      const flipped = (bytes[at] ?? 0) ^ (1 << (at % 8));
      // A line break makes two lines of one; both fail.
      bytes[at] = flipped;
      await writeFile(file.path, bytes);
      const damaged: number[] = [];
      const again = await reopen(damaged);
      expect(damaged[0], `byte ${at}`).toBe(3);
      expect(await numbersIn(again), `byte ${at}`).toEqual([1, 3]);
      expect(await readFile(`${file.path}.damaged`)).toEqual(bytes);
      await again.close();
    }
  });

  it('is nothing without its header, and nothing was acknowledged then', async () => {
    const file = create();
    await append(file, 1);
    await file.close();
    await truncate(file.path, 20);
    expect(await JournalFile.open(file.path, () => undefined)).toBeUndefined();
  });

  it('goes on draining where it was', async () => {
    const file = create();
    for (let number = 1; number <= 5; number++) await append(file, number);
    for await (const { commit, end } of file.undrained()) {
      if (commit.id.number > 3) break;
      file.advance(end);
    }
    await file.savePosition();
    expect([file.commits, await numbersIn(file)]).toEqual([2, [4, 5]]);
    await file.close();
    const again = await reopen();
    expect([again.commits, await numbersIn(again)]).toEqual([2, [4, 5]]);
    expect(again.bytes).toBeLessThan((await stat(again.path)).size);
    await again.remove();
    expect(await readdir(folder)).toEqual([]);
  });

  it('begins from the start when what says how far it was is damaged', async () => {
    const file = create();
    await append(file, 1);
    for await (const { end } of file.undrained()) file.advance(end);
    await file.savePosition();
    await appendFile(`${file.path}.drained`, 'x');
    await file.close();
    expect(await numbersIn(await reopen())).toEqual([1]);
  });

  it('refuses on a full disk, the last first, and goes on once there is space', async ({ skip }) => {
    skip(process.getuid?.() !== 0, 'A small file system can only be mounted by root');
    const small = join(folder, 'small');
    execFileSync('mkdir', [small]);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', small], { stdio: 'pipe' });
    } catch (error) {
      skip(true, `A small file system cannot be mounted here: ${error}`);
    }
    try {
      const file = create(small);
      await append(file, 1);
      const refused: number[] = [];
      const codes = await Promise.all(
        [2, 3, 4].map(
          (number) =>
            new Promise((resolve) =>
              file.append(
                lineOf(number, 'x'.repeat(200_000)),
                () => resolve('written'),
                (error) => {
                  refused.push(number);
                  resolve((error as { code?: string }).code);
                },
              ),
            ),
        ),
      );
      // The first is on its way alone; the others share a write.
      expect(codes).toEqual(['written', 'storage.full', 'storage.full']);
      expect(refused).toEqual([4, 3]);
      await append(file, 5);
      expect(await numbersIn(file)).toEqual([1, 2, 5]);
      await file.close();
      opened.splice(opened.indexOf(file), 1);
    } finally {
      execFileSync('umount', [small]);
    }
  });
});

describe('JournalFile that was damaged on the disk', () => {
  it('finds a flipped bit in any byte of the header, and never passes its commits over in silence', async () => {
    const file = create();
    await append(file, 1);
    await file.close();
    const whole = await readFile(file.path);
    for (let at = 0; at <= whole.indexOf('\n'); at++) {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
      await writeFile(file.path, bytes);
      const damaged: number[] = [];
      expect(await JournalFile.open(file.path, (line) => damaged.push(line))).toBeUndefined();
      expect(damaged, `byte ${at}`).toEqual([1]);
      expect(await readFile(file.path)).toEqual(bytes);
    }
  });

  it('keeps a last line of which only the line break was damaged', async () => {
    const file = create();
    await append(file, 1);
    await append(file, 2);
    await file.close();
    const bytes = await readFile(file.path);
    bytes[bytes.length - 1] = 0x0b;
    await writeFile(file.path, bytes);
    const again = await reopen();
    expect(await numbersIn(again)).toEqual([1, 2]);
    await append(again, 3);
    await again.close();
    expect(await numbersIn(await reopen())).toEqual([1, 2, 3]);
  });

  it('still has what is to be drained when a line that was drained long ago is damaged', async () => {
    const file = create();
    for (let number = 1; number <= 3; number++) await append(file, number);
    for await (const { commit, end } of file.undrained()) {
      if (commit.id.number > 2) break;
      file.advance(end);
    }
    await file.savePosition();
    await file.close();
    const bytes = await readFile(file.path);
    const first = bytes.indexOf('\n') + 1;
    bytes[first + 20] = (bytes[first + 20] ?? 0) ^ 1;
    await writeFile(file.path, bytes);
    const damaged: number[] = [];
    const again = await reopen(damaged);
    expect([again.commits, again.isEmpty, await numbersIn(again)]).toEqual([1, false, [3]]);
    // It is in the storage, and nothing is lost with it.
    expect(damaged).toEqual([]);
  });
});
