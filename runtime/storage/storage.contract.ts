import { afterEach, beforeEach, describe } from 'vitest';
import { amountCases } from './contract/amounts.contract.ts';
import { commitCases } from './contract/commits.contract.ts';
import { documentCases } from './contract/documents.contract.ts';
import { type ContractFixture, type StorageUnderTest, TestClock } from './contract/fixture.ts';
import { generationCases } from './contract/generations.contract.ts';
import { inputCases } from './contract/input.contract.ts';
import { lifecycleCases } from './contract/lifecycle.contract.ts';
import { listCases } from './contract/lists.contract.ts';
import { logCases } from './contract/logs.contract.ts';
import { modelCases } from './contract/model.contract.ts';
import { namedCommitCases } from './contract/named-commits.contract.ts';
import { sharedCases } from './contract/shared.contract.ts';
import { snapshotCases } from './contract/snapshots.contract.ts';
import type { Storage } from './storage.ts';

/**
 * All that the storage port promises, as one suite: an adapter's own test calls it with a way to make one. What an adapter
 * cannot do, it says in `supports`; the cases that need it are skipped with that reason.
 */
export function describeStorageContract(
  name: string,
  /** Makes an empty storage that is not open yet. */
  create: ContractFixture['create'],
): void {
  // Some cases take a server thousands of round trips, and the machine may be busy.
  describe(`storage contract: ${name}`, { timeout: 60_000 }, () => {
    const fixture: ContractFixture = {
      create,
      clock: new TestClock(),
      get storage() {
        return current().storage;
      },
      reopen: () => current().reopen(),
      another: () => {
        const storage = current().another?.();
        if (storage === undefined)
          throw new Error('The test of a shared adapter must say how to make another one.');
        others.push(storage);
        return storage;
      },
    };
    let underTest: StorageUnderTest | undefined;
    /** Those of the case besides; they are closed before its data goes. */
    let others: Storage[] = [];
    const current = () => {
      if (underTest === undefined) throw new Error('There is a storage only while a case runs.');
      return underTest;
    };

    beforeEach(async () => {
      fixture.clock.time = TestClock.START;
      underTest = await create({ now: fixture.clock.now });
      await underTest.storage.open();
    });

    afterEach(async () => {
      await Promise.all(others.map((other) => other.close()));
      others = [];
      await underTest?.storage.close();
      await underTest?.dispose();
      underTest = undefined;
    });

    describe('documents', () => documentCases(fixture));
    describe('commits', () => commitCases(fixture));
    describe('named commits', () => namedCommitCases(fixture));
    describe('logs', () => logCases(fixture));
    describe('lists', () => listCases(fixture));
    describe('snapshots', () => snapshotCases(fixture));
    describe('generations', () => generationCases(fixture));
    describe('input', () => inputCases(fixture));
    describe('lifecycle', () => lifecycleCases(fixture));
    describe('amounts', () => amountCases(fixture));
    describe('two on one store', () => sharedCases(fixture));
    describe('model', () => modelCases(fixture));
  });
}
