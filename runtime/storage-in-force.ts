import type { Clock } from './base/clock.ts';
import type { MakeId } from './base/ids.ts';
import type { Logger } from './base/logger.ts';
import type { Part } from './base/parts-in-order.ts';
import type { Settings, StorageSettings } from './settings/settings.ts';
import type { ModeListener } from './storage/degraded/mode.ts';
import { modeOf } from './storage/degraded.ts';
import { InstanceLease } from './storage/instance-lease.ts';
import { createStorage } from './storage/open-storage.ts';
import type { Storage, StorageOptions } from './storage/storage.ts';
import { SwitchableStorage } from './storage/switchable-storage.ts';

/** The storage that the runtime works on, whichever that is now, and what is to be known of it. */
export interface StorageInForce {
  readonly storage: SwitchableStorage;
  /** What starts and stops it, in this order. */
  readonly parts: Part[];
  /** Makes another one, not open yet, which may take its place. Rejects with `storage.unsupported_type`. */
  make(settings: StorageSettings): Promise<Storage>;
  /** Rejects with `storage.locked` when another process works on a storage that is to be overwritten. */
  refuseUsed(target: Storage, signal: AbortSignal): Promise<void>;
  /** What a start that had to set the data aside has to say, until a backup is restored. */
  readonly setAside: string | undefined;
  /** Other data is in force now. */
  restored(): void;
  /** For the user: another process works on the same storage. */
  readonly warnings: { code: string; message: string }[];
}

/** Rejects with `storage.unsupported_type`. Nothing is opened yet. */
export async function createStorageInForce(options: {
  settings: Settings;
  clock: Clock;
  makeId: MakeId;
  /** Of the runtime as a whole. */
  logger: Logger;
  onOperation: NonNullable<StorageOptions['onOperation']>;
  onModeChange: ModeListener;
}): Promise<StorageInForce> {
  const { settings, clock, logger } = options;
  let setAside: string | undefined;
  let shared: string | undefined;

  async function make(of: StorageSettings): Promise<Storage> {
    const made = await createStorage({
      ...of,
      dataDir: settings.dataDir,
      onOperation: options.onOperation,
      onFault: (fault) => logger.with({ component: 'storage' }).error(fault.message, { ...fault }),
      // The target of a move that is lost is the end of that move, and nothing to the storage in force.
      onModeChange: (mode, report) => {
        if (made === storage.current) options.onModeChange(mode, report);
      },
    });
    return made;
  }

  const storage = new SwitchableStorage(await make(settings.storage));
  const lease = new InstanceLease({
    storage,
    instance: options.makeId(20),
    clock,
    logger,
    isReachable: () => modeOf(storage.current).state === 'normal',
    onShared: (message) => {
      shared = message;
      if (message !== undefined) logger.error(message, { code: 'storage.shared' });
    },
  });

  async function open(): Promise<void> {
    await storage.open();
    const { notices } = await storage.info();
    setAside = notices.find(({ code }) => code === 'storage.set_aside')?.message;
    if (setAside !== undefined) logger.error(setAside, { code: 'storage.set_aside' });
  }

  return {
    storage,
    parts: [
      { name: 'storage', start: open, stop: () => storage.close() },
      { name: 'instance lease', start: () => lease.take(), stop: () => lease.release() },
    ],
    make,
    refuseUsed: (target, signal) => lease.refuseUsed(target, signal),
    get setAside() {
      return setAside;
    },
    restored() {
      setAside = undefined;
    },
    get warnings() {
      return shared === undefined ? [] : [{ code: 'storage.shared', message: shared }];
    },
  };
}
