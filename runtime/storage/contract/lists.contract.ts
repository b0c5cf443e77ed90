import { expect, it } from 'vitest';
import type { Filter, IndexValue, ListQuery, Operation } from '../storage.ts';
import { type ContractFixture, rejection } from './fixture.ts';

type Direction = 'ascending' | 'descending';

export function listCases(fixture: ContractFixture): void {
  const put = (id: string, index?: Record<string, IndexValue>, value: unknown = id): Operation => ({
    kind: 'put',
    collection: 'sessions',
    id,
    value,
    ...(index === undefined ? {} : { index }),
  });
  const ids = async (query: Partial<ListQuery> = {}) =>
    (await fixture.storage.list('sessions', { limit: 1000, ...query })).items.map(({ id }) => id);
  const having = (...where: Filter[]) => ids({ where });
  const by = (field: string, direction: Direction = 'ascending') => ids({ orderBy: { field, direction } });

  /** All pages of a query, one after another; `between` runs after each. */
  const pages = async (
    query: ListQuery,
    between: (page: string[]) => Promise<unknown> = async () => undefined,
  ) => {
    const all: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await fixture.storage.list('sessions', {
        ...query,
        ...(cursor === undefined ? {} : { cursor }),
      });
      expect(page.items.length).toBeLessThanOrEqual(query.limit);
      const seen = page.items.map(({ id }) => id);
      all.push(...seen);
      cursor = page.nextCursor;
      await between(seen);
    } while (cursor !== undefined);
    return all;
  };

  it('lists by id, with versions and values, and nothing of other collections', async () => {
    const { storage } = fixture;
    await storage.commit([
      put('b'),
      put('a'),
      put('b'),
      { kind: 'put', collection: 'agents', id: 'c', value: 1 },
    ]);
    expect(await storage.list('sessions', { limit: 10 })).toEqual({
      items: [
        { collection: 'sessions', id: 'a', version: 1, value: 'a' },
        { collection: 'sessions', id: 'b', version: 2, value: 'b' },
      ],
    });
    expect(await storage.list('nothing', { limit: 10 })).toEqual({ items: [] });
  });

  it('filters by is, in, isNot and ranges', async () => {
    await fixture.storage.commit([
      put('a', { state: 'active', n: 1 }),
      put('b', { state: 'idle', n: 2 }),
      put('c', { state: 'active', n: 3 }),
      put('d', { n: 4 }),
      put('e'),
    ]);
    expect(await having({ field: 'state', is: 'active' })).toEqual(['a', 'c']);
    expect(await having({ field: 'state', is: 'Active' })).toEqual([]);
    expect(await having({ field: 'state', in: ['idle', 'active'] })).toEqual(['a', 'b', 'c']);
    expect(await having({ field: 'state', in: [] })).toEqual([]);
    expect(await having({ field: 'n', in: [4, 1, 9] })).toEqual(['a', 'd']);
    // Not active: also those that have no state at all.
    expect(await having({ field: 'state', isNot: 'active' })).toEqual(['b', 'd', 'e']);
    expect(await having({ field: 'n', from: 2 })).toEqual(['b', 'c', 'd']);
    expect(await having({ field: 'n', from: 2, below: 4 })).toEqual(['b', 'c']);
    expect(await having({ field: 'state', from: 'b', below: 'z' })).toEqual(['b']);
    expect(await having({ field: 'missing', is: 1 })).toEqual([]);
  });

  it('asks all of its filters, also several of one field', async () => {
    await fixture.storage.commit(
      Array.from({ length: 20 }, (_, i) =>
        put(`s${String(i).padStart(2, '0')}`, {
          n: i,
          parity: i % 2 === 0 ? 'even' : 'odd',
          title: `Number ${i}`,
        }),
      ),
    );
    const odd: Filter = { field: 'parity', is: 'odd' };
    expect(await having(odd, { field: 'n', from: 5, below: 12 })).toEqual(['s05', 's07', 's09', 's11']);
    expect(
      await having(odd, { field: 'n', from: 5 }, { field: 'n', isNot: 7 }, { field: 'n', in: [7, 9] }),
    ).toEqual(['s09']);
    expect(await having(odd, { field: 'parity', is: 'even' })).toEqual([]);
    expect(await having({ field: 'title', contains: 'ber 1' }, odd)).toEqual([
      's01',
      's11',
      's13',
      's15',
      's17',
      's19',
    ]);
    const orderBy = { field: 'n', direction: 'descending' } as const;
    expect(await ids({ where: [odd, { field: 'n', from: 15 }], orderBy })).toEqual(['s19', 's17', 's15']);
    expect(await ids({ where: [{ field: 'title', contains: '9' }], orderBy })).toEqual(['s19', 's09']);
  });

  it('finds text without regard to case, in any script', async () => {
    await fixture.storage.commit([
      put('german', { title: 'Größere ÄRGERNISSE' }),
      put('greek', { title: 'ΟΔΟΣ' }),
      put('cyrillic', { title: 'Привет' }),
      put('wild', { title: '100%_\\' }),
      put('number', { title: 100 }),
      put('none'),
    ]);
    const containing = (contains: string) => having({ field: 'title', contains });
    expect(await containing('ärger')).toEqual(['german']);
    expect(await containing('GRÖßE')).toEqual(['german']);
    expect(await containing('οδος')).toEqual(['greek']);
    expect(await containing('ПРИВЕТ')).toEqual(['cyrillic']);
    expect(await containing('%')).toEqual(['wild']);
    expect(await containing('_\\')).toEqual(['wild']);
    expect(await containing('100')).toEqual(['wild']);
    expect(await containing('')).toEqual(['cyrillic', 'german', 'greek', 'wild']);
    expect(await containing('nowhere')).toEqual([]);
  });

  it('orders numbers by size and before text, text by code point, ties by id', async () => {
    const values: [string, IndexValue][] = [
      ['minus', -5],
      ['two', 2],
      ['ten', 10],
      ['tenth', 0.1],
      ['large', 1e15],
      ['A', 'A'],
      ['B', 'B'],
      ['a', 'a'],
      ['umlaut', 'ä'],
      ['private', '\ue000'],
      ['last of the plane', '\uffff'],
      ['astral', '😀'],
      ['digits', '10'],
      ['empty', ''],
      ['b-tie', 10],
    ];
    await fixture.storage.commit([...values.map(([id, value]) => put(id, { value })), put('without')]);
    const expected = [
      'minus',
      'tenth',
      'two',
      'b-tie',
      'ten',
      'large',
      'empty',
      'digits',
      'A',
      'B',
      'a',
      'umlaut',
      'private',
      'last of the plane',
      'astral',
    ];
    expect(await by('value')).toEqual(expected);
    expect(await by('value', 'descending')).toEqual(expected.toReversed());
    expect(await having({ field: 'value', from: 3, below: 'A' })).toEqual([
      'b-tie',
      'digits',
      'empty',
      'large',
      'ten',
    ]);
    for (const limit of [1, 2, 7]) {
      expect(await pages({ orderBy: { field: 'value', direction: 'ascending' }, limit })).toEqual(expected);
    }
  });

  it('orders ids by code point', async () => {
    await fixture.storage.commit(['😀', '\uffff', 'b', 'B', 'a', 'ä', '10', '9'].map((id) => put(id)));
    expect(await ids()).toEqual(['10', '9', 'B', 'a', 'b', 'ä', '\uffff', '😀']);
  });

  it('takes text that is not well-formed for what is left of it', async () => {
    await fixture.storage.commit([put('a', { title: 'cut \ud83d' })]);
    expect(await having({ field: 'title', is: 'cut \ud83d' })).toEqual(['a']);
    expect(await having({ field: 'title', is: 'cut \ufffd' })).toEqual(['a']);
    expect(await having({ field: 'title', contains: 'CUT \ud83d' })).toEqual(['a']);
  });

  it('tells numbers from text', async () => {
    await fixture.storage.commit([put('number', { n: 1 }), put('text', { n: '1' }), put('zero', { n: -0 })]);
    expect(await having({ field: 'n', is: 1 })).toEqual(['number']);
    expect(await having({ field: 'n', is: '1' })).toEqual(['text']);
    expect(await having({ field: 'n', is: 0 })).toEqual(['zero']);
    expect(await having({ field: 'n', isNot: 1 })).toEqual(['text', 'zero']);
  });

  it('replaces the index fields with each put', async () => {
    const { storage } = fixture;
    await storage.commit([put('a', { state: 'one', old: 1 })]);
    await storage.commit([put('a', { state: 'two' })]);
    expect(await having({ field: 'state', is: 'one' })).toEqual([]);
    expect(await having({ field: 'state', is: 'two' })).toEqual(['a']);
    expect(await by('old')).toEqual([]);
    await storage.commit([put('a')]);
    expect(await by('state')).toEqual([]);
    await storage.commit([put('a', { state: 'three' })]);
    await storage.commit([{ kind: 'delete', collection: 'sessions', id: 'a' }]);
    expect(await by('state')).toEqual([]);
  });

  it('has no next page when the last one is exactly full', async () => {
    await fixture.storage.commit([put('a'), put('b'), put('c'), put('d')]);
    const first = await fixture.storage.list('sessions', { limit: 2 });
    expect(first.nextCursor).toBeTypeOf('string');
    const second = await fixture.storage.list('sessions', { limit: 2, cursor: first.nextCursor ?? '' });
    expect(second.items.map(({ id }) => id)).toEqual(['c', 'd']);
    expect(second.nextCursor).toBeUndefined();
  });

  const shapes: [string, Omit<ListQuery, 'limit'>][] = [
    ['by id', {}],
    ['by id, filtered', { where: [{ field: 'group', is: 1 }] }],
    ['by id, of a range', { where: [{ field: 'n', from: 10, below: 70 }] }],
    ['ascending', { orderBy: { field: 'rank', direction: 'ascending' } }],
    ['descending', { orderBy: { field: 'rank', direction: 'descending' } }],
    [
      'descending, filtered',
      { where: [{ field: 'group', in: [0, 2] }], orderBy: { field: 'rank', direction: 'descending' } },
    ],
    [
      'ascending, searched',
      { where: [{ field: 'title', contains: '7' }], orderBy: { field: 'rank', direction: 'ascending' } },
    ],
    ['without', { where: [{ field: 'group', isNot: 1 }] }],
  ];

  it.each(shapes)('pages %s as it lists at once', async (_name, query) => {
    await fixture.storage.commit(
      Array.from({ length: 90 }, (_, i) =>
        put(`id-${(i * 37) % 90}`, { n: i, group: i % 3, rank: Math.floor(i / 7), title: `Title ${i}` }),
      ),
    );
    const all = await ids(query);
    expect(all.length).toBeGreaterThan(10);
    for (const limit of [1, 4, 13]) expect(await pages({ ...query, limit })).toEqual(all);
  });

  it.each<[string, Direction]>([
    ['ascending', 'ascending'],
    ['descending', 'descending'],
  ])('neither skips nor repeats what stays where it is while others write, %s', async (_name, direction) => {
    const { storage } = fixture;
    const steady = Array.from({ length: 60 }, (_, i) => `steady-${String(i).padStart(2, '0')}`);
    await storage.commit(steady.map((id, i) => put(id, { rank: i, kind: 'steady' })));
    await storage.commit(
      Array.from({ length: 30 }, (_, i) => put(`moving-${i}`, { rank: i * 2, kind: 'moving' })),
    );
    let turn = 0;
    const seen = await pages({ orderBy: { field: 'rank', direction }, limit: 7 }, async (page) => {
      turn += 1;
      await storage.commit([
        ...page
          .filter((id) => id.startsWith('moving'))
          .map((id) => put(id, { rank: 100 - turn, kind: 'moving' })),
        put(`new-${turn}`, { rank: turn * 3 }),
        { kind: 'delete', collection: 'sessions', id: `moving-${turn}` },
      ]);
    });
    const found = seen.filter((id) => id.startsWith('steady'));
    expect(found).toEqual(direction === 'ascending' ? steady : steady.toReversed());
  });

  it('neither skips nor repeats what stays where it is, while others write all the time', async () => {
    const { storage } = fixture;
    const steady = Array.from({ length: 60 }, (_, i) => `steady-${String(i).padStart(2, '0')}`);
    await storage.commit(steady.map((id, i) => put(id, { rank: i, group: 1 })));
    let paging = true;
    const write = async (writer: number) => {
      for (let i = 0; paging; i++) {
        const id = `moving-${writer}-${i % 20}`;
        await storage.commit([
          i % 5 === 4
            ? { kind: 'delete', collection: 'sessions', id }
            : put(id, { rank: (i * 7) % 60, group: i % 3 }),
          // Its index fields stay, so it stays where it is.
          put(steady[(i * 11) % 60] as string, { rank: (i * 11) % 60, group: 1 }, i),
        ]);
      }
    };
    const writers = Promise.all([write(0), write(1), write(2)]);
    const shapesToPage: Omit<ListQuery, 'limit'>[] = [
      {},
      { orderBy: { field: 'rank', direction: 'ascending' } },
      { orderBy: { field: 'rank', direction: 'descending' }, where: [{ field: 'group', is: 1 }] },
    ];
    try {
      for (const query of shapesToPage) {
        const seen = (await pages({ ...query, limit: 7 })).filter((id) => id.startsWith('steady'));
        expect(query.orderBy?.direction === 'descending' ? seen.toReversed() : seen).toEqual(steady);
      }
    } finally {
      paging = false;
      await writers;
    }
  });

  it('goes on behind a cursor whose document is gone', async () => {
    const { storage } = fixture;
    await storage.commit([put('a', { n: 1 }), put('b', { n: 2 }), put('c', { n: 3 })]);
    const query: ListQuery = { orderBy: { field: 'n', direction: 'ascending' }, limit: 2 };
    const first = await storage.list('sessions', query);
    await storage.commit([{ kind: 'delete', collection: 'sessions', id: 'b' }]);
    const second = await storage.list('sessions', { ...query, cursor: first.nextCursor ?? '' });
    expect(second.items.map(({ id }) => id)).toEqual(['c']);
  });

  it('refuses a cursor that is none, or one of another query', async () => {
    const { storage } = fixture;
    await storage.commit([put('a', { n: 1 }), put('b', { n: 2 })]);
    const cursor = (await storage.list('sessions', { limit: 1 })).nextCursor ?? '';
    const refused: ListQuery[] = [
      { limit: 1, cursor: 'nonsense' },
      { limit: 1, cursor: '' },
      { limit: 1, cursor: Buffer.from('[1,2]').toString('base64url') },
      { limit: 1, cursor, where: [{ field: 'n', is: 1 }] },
      { limit: 1, cursor, orderBy: { field: 'n', direction: 'ascending' } },
    ];
    for (const query of refused) {
      expect((await rejection(storage.list('sessions', query))).code).toBe('storage.invalid');
    }
  });
}
