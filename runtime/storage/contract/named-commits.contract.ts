import { expect, it } from 'vitest';
import { type CommitId, type Operation, REMEMBERED_COMMITS } from '../storage.ts';
import { type ContractFixture, recordsOf, rejection, replaceBy } from './fixture.ts';

/** Commits with an id: one that is sent again is answered like the first time, and changes nothing. */
export function namedCommitCases(fixture: ContractFixture): void {
  const put = (id: string, value: unknown, expectVersion?: number): Operation => ({
    kind: 'put',
    collection: 'sessions',
    id,
    value,
    ...(expectVersion === undefined ? {} : { expectVersion }),
  });
  const append = (value: unknown): Operation => ({ kind: 'append', log: 'events', value });
  const name = (number: number, writer = 'one'): CommitId => ({ writer, number });
  const values = async () => (await fixture.storage.read('events')).map(({ value }) => value);

  it('carries one out once, and answers the same again', async () => {
    const { storage } = fixture;
    await storage.commit([put('old', 1), append('before')]);
    const operations: Operation[] = [
      put('a', 1, 0),
      append('first'),
      { kind: 'delete', collection: 'sessions', id: 'old' },
      { kind: 'trim', log: 'events', through: 1 },
      append('second'),
      put('a', 2),
    ];
    const answer = [{ version: 1 }, { sequence: 2 }, {}, {}, { sequence: 3 }, { version: 2 }];
    expect(await storage.commit(operations, name(1))).toEqual(answer);
    const after = await recordsOf(storage);
    for (let i = 0; i < 3; i++) expect(await storage.commit(operations, name(1))).toEqual(answer);
    expect(await recordsOf(storage)).toEqual(after);
  });

  it('answers the same again whatever has become of its documents and logs meanwhile', async () => {
    const { storage } = fixture;
    const operations = [put('a', 1, 0), append('first')];
    const answer = await storage.commit(operations, name(1));
    await storage.commit([
      put('a', 2),
      put('a', 3),
      append('later'),
      { kind: 'trim', log: 'events', through: 2 },
    ]);
    expect(await storage.commit(operations, name(1))).toEqual(answer);
    expect(await storage.get('sessions', 'a')).toMatchObject({ version: 3, value: 3 });
    await storage.commit([{ kind: 'delete', collection: 'sessions', id: 'a' }]);
    expect(await storage.commit(operations, name(1))).toEqual(answer);
    expect(await storage.get('sessions', 'a')).toBeUndefined();
    expect(await values()).toEqual([]);
  });

  it('tells numbers of a writer apart, and writers with the same number', async () => {
    const { storage } = fixture;
    const ids = [name(1), name(2), name(1, 'two'), name(5), name(3), name(1, 'ONE'), name(11, 'one-1')];
    for (const [i, id] of ids.entries()) {
      expect(await storage.commit([append(i)], id)).toEqual([{ sequence: i + 1 }]);
    }
    for (const [i, id] of ids.toReversed().entries()) {
      expect(await storage.commit([append('again')], id)).toEqual([{ sequence: ids.length - i }]);
    }
    expect(await values()).toEqual(ids.map((_, i) => i));
  });

  it('carries out a commit without an id as often as it is sent', async () => {
    const { storage } = fixture;
    await storage.commit([append(1)], name(1));
    await storage.commit([append(1)]);
    await storage.commit([append(1)]);
    expect(await values()).toEqual([1, 1, 1]);
  });

  it('knows one by what its id was when it came, whatever its caller makes of that since', async () => {
    const { storage } = fixture;
    const id = { writer: 'one', number: 0 };
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => {
        id.number = i + 1;
        return storage.commit([put(`${i}`, i), append(i)], id);
      }),
    );
    id.writer = 'another';
    for (const [i, answer] of answers.entries()) {
      expect(await storage.commit([put(`${i}`, i), append(i)], name(i + 1))).toEqual(answer);
    }
    expect(await values()).toHaveLength(20);
  });

  it('remembers over a new start', async () => {
    const answer = await fixture.storage.commit([put('a', 1, 0), append(1)], name(1));
    const storage = await fixture.reopen();
    expect(await storage.commit([put('a', 1, 0), append(1)], name(1))).toEqual(answer);
    expect(await storage.commit([append(2)], name(2))).toEqual([{ sequence: 2 }]);
    await fixture.reopen();
    await fixture.storage.commit([append(2)], name(2));
    expect(await values()).toEqual([1, 2]);
  });

  it('remembers over the activation of another generation, and back', async () => {
    const { storage } = fixture;
    const [first] = await storage.generations.list();
    const answer = await storage.commit([put('a', 1, 0), append(1)], name(1));
    await replaceBy(storage, 'restore x', []);
    expect(await storage.commit([put('a', 1, 0), append(1)], name(1))).toEqual(answer);
    expect(await storage.get('sessions', 'a')).toBeUndefined();
    expect(await storage.commit([append(2)], name(2))).toEqual([{ sequence: 2 }]);
    await storage.generations.activate(first?.id ?? '');
    expect(await storage.commit([append(2)], name(2))).toEqual([{ sequence: 2 }]);
    expect(await values()).toEqual([1]);
  });

  it('frees the id of a commit that was refused', async () => {
    const { storage } = fixture;
    await storage.commit([put('a', 1)]);
    for (let i = 0; i < 2; i++) {
      const conflict = await rejection(storage.commit([append('no'), put('a', 2, 0)], name(1)));
      expect(conflict).toMatchObject({ code: 'storage.version_conflict', data: { current: 1 } });
    }
    const invalid = await rejection(storage.commit([append(undefined)], name(1)));
    expect(invalid.code).toBe('storage.invalid');
    expect(await storage.commit([append('yes'), put('a', 2, 1)], name(1))).toEqual([
      { sequence: 1 },
      { version: 2 },
    ]);
    expect(await storage.commit([append('yes'), put('a', 2, 1)], name(1))).toEqual([
      { sequence: 1 },
      { version: 2 },
    ]);
    expect(await values()).toEqual(['yes']);
  });

  it('carries one out once that is sent many times at once, among others', async () => {
    const { storage } = fixture;
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        i % 3 === 0
          ? storage.commit([append('other')])
          : storage.commit([append('named'), put('a', i, 0)], name(7)),
      ),
    );
    const named = answers.filter((_, i) => i % 3 !== 0);
    for (const answer of named) expect(answer).toEqual(named[0]);
    expect((await values()).filter((value) => value === 'named')).toHaveLength(1);
    expect(await values()).toHaveLength(21);
    expect((await storage.get('sessions', 'a'))?.version).toBe(1);
  });

  it(`remembers the last ${REMEMBERED_COMMITS} of each writer`, async () => {
    const { storage } = fixture;
    const send = (writer: string) =>
      Promise.all(
        Array.from({ length: REMEMBERED_COMMITS }, (_, i) =>
          storage.commit([{ kind: 'append', log: `messages/${writer}`, value: i }], name(i + 1, writer)),
        ),
      );
    const [one, two] = await Promise.all([send('one'), send('two')]);
    expect(await send('one')).toEqual(one);
    expect(await send('two')).toEqual(two);
    for (const writer of ['one', 'two']) {
      expect(await storage.read(`messages/${writer}`, { limit: 10_000 })).toHaveLength(REMEMBERED_COMMITS);
    }
  });

  it('takes no number for another one, however far apart they are', async () => {
    const { storage } = fixture;
    const numbers = [
      ...Array.from({ length: 12 }, (_, i) => 3 + 1_000 * i),
      ...Array.from({ length: 12 }, (_, i) => 20_003 + 1_024 * i),
      2 ** 31,
      2 ** 32,
      2 ** 53 - 1,
    ];
    for (const [i, number] of numbers.entries()) {
      expect(await storage.commit([append(number)], name(number))).toEqual([{ sequence: i + 1 }]);
    }
    expect(await values()).toEqual(numbers);
  });

  it('remembers the answer of 10,000 operations, and of none', async () => {
    const { storage } = fixture;
    const operations = Array.from({ length: 10_000 }, (_, i) =>
      i % 2 === 0 ? put(`id-${i}`, i) : append(i),
    );
    const answer = await storage.commit(operations, name(1));
    expect(answer.at(-1)).toEqual({ sequence: 5_000 });
    expect(await storage.commit(operations, name(1))).toEqual(answer);
    expect(await storage.commit([], name(2))).toEqual([]);
    expect(await storage.commit([], name(2))).toEqual([]);
    expect((await storage.stats()).documents).toEqual({ sessions: 5_000 });
  });

  it('keeps what it remembers out of the data', async () => {
    const { storage } = fixture;
    await storage.commit([put('a', 1)], name(1));
    expect((await storage.stats()).documents).toEqual({ sessions: 1 });
    expect(await recordsOf(storage)).toEqual([
      { kind: 'document', collection: 'sessions', id: 'a', version: 1, json: '1', index: {} },
    ]);
  });

  it('refuses ids that are none, and writes nothing', async () => {
    const { storage } = fixture;
    const bad: unknown[] = [
      { writer: '', number: 1 },
      { writer: 'x'.repeat(65), number: 1 },
      { writer: 'with space', number: 1 },
      { writer: 'ä', number: 1 },
      { writer: 'line\n', number: 1 },
      { writer: 5, number: 1 },
      { number: 1 },
      { writer: 'one' },
      { writer: 'one', number: 0 },
      { writer: 'one', number: -1 },
      { writer: 'one', number: 1.5 },
      { writer: 'one', number: '1' },
      { writer: 'one', number: Number.NaN },
      { writer: 'one', number: 2 ** 53 },
    ];
    for (const id of bad) {
      expect((await rejection(storage.commit([append(1)], id as CommitId))).code).toBe('storage.invalid');
    }
    expect(await values()).toEqual([]);
    await storage.commit([append(1)], name(1, `A-_${'z'.repeat(61)}`));
    expect(await values()).toEqual([1]);
  });
}
