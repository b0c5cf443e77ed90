import { expect, it } from 'vitest';
import type { StorageFault } from '../storage.ts';
import type { DamagedRecord, DocumentRow } from './protocol.ts';
import { RowVerifier } from './row-verifier.ts';

it('tells and sets aside what is damaged in the active generation, though one of that name was damaged in another', () => {
  const told: StorageFault[] = [];
  const setAside: DamagedRecord[] = [];
  const verifier = new RowVerifier(
    (fault) => told.push(fault),
    async (record) => setAside.push(record) > 0,
  );
  const row: DocumentRow = [7, 'sessions', 'a', 1, '', null, 0, 0, '{"title":"damaged"}'];
  expect(verifier.snapshot([{ kind: 'document', row }], false)).toEqual([]);
  expect(setAside).toEqual([]);
  expect(verifier.document(row)).toBeUndefined();
  expect(setAside).toEqual([{ kind: 'document', key: 7 }]);
  expect(told.map(({ record }) => record)).toEqual(['document sessions/a', 'document sessions/a']);
  // Each once.
  verifier.snapshot([{ kind: 'document', row }], false);
  verifier.document(row);
  expect(told).toHaveLength(2);
});
