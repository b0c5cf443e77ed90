import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { checkOperations } from '../checked-input.ts';
import { rejection } from '../contract/fixture.ts';
import { MemoryStorage } from '../memory/memory-storage.ts';
import { drain } from './drain.ts';
import { JournalFile } from './journal-file.ts';
import { commitLine } from './journal-lines.ts';

it('gets no further while it cannot write down how far it is, so that a kill then doubles nothing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'smalltalk-drain-'));
  const storage = new MemoryStorage();
  await storage.open();
  const header = { journal: 1, id: 'first', type: 'remote', location: 'here', createdAt: 1 } as const;
  const file = JournalFile.create(folder, header, async () => undefined);
  const sent: number[] = [];
  const drainOnce = () =>
    drain(file, {
      storage,
      commit: (operations, id) => {
        sent.push(id.number);
        return storage.commit(operations, id);
      },
      now: () => 1,
      onNext: () => undefined,
      onCommit: () => undefined,
      onConflict: () => undefined,
      onRenumbered: () => undefined,
      onRefused: () => undefined,
    });
  const all = Array.from({ length: 700 }, (_, i) => i + 1);
  try {
    await Promise.all(
      all.map((number) => {
        const operations = checkOperations([{ kind: 'append', log: 'events', value: number }]);
        const line = commitLine({ writer: 'w', number }, number, operations, [number]);
        return new Promise<void>((resolve, reject) => file.append(line, resolve, reject));
      }),
    );
    // What stands there cannot be replaced by a file.
    await mkdir(`${file.path}.drained/in-the-way`, { recursive: true });
    for (let attempt = 0; attempt < 3; attempt++) await rejection(drainOnce());
    // A storage remembers the last 1,000 commits of a writer: these are far within.
    expect(sent).toEqual(all.slice(0, 256));
    await rm(`${file.path}.drained`, { recursive: true });
    await drainOnce();
    expect(sent).toEqual(all);
  } finally {
    await file.close();
    await storage.close();
    await rm(folder, { recursive: true, force: true });
  }
});
