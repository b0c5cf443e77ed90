import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, vi } from 'vitest';
import { DegradedStorage } from '../degraded.ts';
import { MemoryStorage } from '../memory/memory-storage.ts';
import type { Operation } from '../storage.ts';
import type { RecoveryReport, StorageMode } from './mode.ts';
import type { DegradedStorageOptions } from './options.ts';
import { type Outage, RemoteStorage } from './remote.fixture.ts';

export const put = (id: string, value: unknown, expectVersion?: number): Operation => ({
  kind: 'put',
  collection: 'sessions',
  id,
  value,
  index: { title: `Title of ${id}` },
  ...(expectVersion === undefined ? {} : { expectVersion }),
});
export const append = (log: string, value: unknown): Operation => ({ kind: 'append', log, value });

/** A storage that can degrade before a server that can be away; both are of the case that is running. */
export class DegradedRig {
  readonly folder: string;
  /** What the server holds, seen past everything. */
  readonly server = new MemoryStorage();
  /** The way to it of the storage that was made last. */
  remote = new RemoteStorage({}, this.server);
  /** Open when a case begins. */
  storage: DegradedStorage;
  readonly modes: StorageMode['state'][] = [];
  readonly reports: RecoveryReport[] = [];
  readonly #made: DegradedStorage[] = [];

  static async open(): Promise<DegradedRig> {
    const rig = new DegradedRig(await mkdtemp(join(tmpdir(), 'smalltalk-degraded-')));
    await rig.server.open();
    await rig.storage.open();
    return rig;
  }

  private constructor(folder: string) {
    this.folder = folder;
    this.storage = this.create();
  }

  async close(): Promise<void> {
    for (const one of this.#made) await one.close();
    await this.server.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** One more on the same server and folder, not open yet; closed after the case. */
  create(options: Partial<DegradedStorageOptions> = {}): DegradedStorage {
    this.remote = new RemoteStorage({}, this.server);
    const made = new DegradedStorage({
      storage: this.remote,
      folder: this.folder,
      // Half of the usual waits: the tests wait for them.
      random: () => 0,
      onModeChange: ({ state }, report) => {
        this.modes.push(state);
        if (report !== undefined) this.reports.push(report);
      },
      ...options,
    });
    this.#made.push(made);
    return made;
  }

  away(how: Outage = 'before'): void {
    this.remote.fails = () => how;
  }

  async back(): Promise<void> {
    this.remote.fails = () => undefined;
    await vi.waitFor(() => expect(this.storage.mode().state).toBe('normal'), {
      timeout: 15_000,
      interval: 5,
    });
  }

  /** What the server holds now. */
  async held(collection: string, id: string): Promise<unknown> {
    return (await this.server.get(collection, id))?.value;
  }

  async logged(log: string): Promise<unknown[]> {
    return (await this.server.read(log)).map(({ value }) => value);
  }
}

/** Registers a new rig for each case of the suite; answers what answers that of the case that is running. */
export function useDegradedRig(): () => DegradedRig {
  let rig: DegradedRig;
  beforeEach(async () => {
    rig = await DegradedRig.open();
  });
  afterEach(() => rig.close());
  return () => rig;
}
