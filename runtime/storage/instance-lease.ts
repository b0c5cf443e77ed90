import { hostname } from 'node:os';
import { type Clock, delay, type Timer } from '../base/clock.ts';
import { isCoded, systemCodeOf } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { fault } from '../contract/error-codes.ts';
import type { Storage, StoredDocument } from './storage.ts';

/** The collection of what is worth nothing when its time is over. */
export const LEASES = 'instances';
const ID = 'owner';
/** How often whoever has the lease renews it. */
const RENEW_MS = 3_000;
/** One that was not renewed for so long is of a process that has died: four renewals, as a busy server may delay some. */
const LAPSE_MS = 12_000;
const WATCH_MS = 1_000;

/** Who works on a storage. */
interface InstanceOwner {
  /** Another one at each start of a process. */
  instance: string;
  host: string;
  pid: number;
  /** Milliseconds since the epoch. */
  since: number;
}

interface InstanceLeaseOptions {
  storage: Storage;
  /** Names this process; another one at each start. */
  instance: string;
  clock: Clock;
  logger: Logger;
  /** Where this process runs; default: the name of the machine. */
  host?: string;
  pid?: number;
  /** Whether a process of this machine is there. */
  isAlive?: (pid: number) => boolean;
  /** False while there is no sense in renewing, because commits only wait in a journal. */
  isReachable?: () => boolean;
  /** Another instance has taken the storage while this one could not reach it; undefined once it has let go of it. */
  onShared?: (message: string | undefined) => void;
}

/**
 * Keeps a second runtime off a storage that several processes may open: it would take the turns of the first for
 * interrupted, and start its agents once more. Whoever works on the storage renews a document in it. Only whether that
 * document changes counts, and no clock of any machine is compared with that of another.
 */
export class InstanceLease {
  readonly #options: InstanceLeaseOptions;
  readonly #clock: Clock;
  readonly #own: InstanceOwner;
  readonly #isAlive: (pid: number) => boolean;
  #version: number | undefined;
  #timer: Timer | undefined;
  #renewing: Promise<void> | undefined;
  #stop = new AbortController();
  #isShared = false;

  constructor(options: InstanceLeaseOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#own = {
      instance: options.instance,
      host: options.host ?? hostname(),
      pid: options.pid ?? process.pid,
      since: this.#clock.now(),
    };
    this.#isAlive = options.isAlive ?? isAlive;
  }

  /**
   * Resolves when the storage is this process's; at once where only one process can open it. Waits for {@link LAPSE_MS}
   * when the one before has died without a word. Rejects with `storage.locked` when another one works on it.
   */
  async take(): Promise<void> {
    this.#stop = new AbortController();
    if (this.#isNeeded) await this.#acquire();
    this.#timer = this.#clock.every(RENEW_MS, () => {
      this.#renewing ??= this.#renew().finally(() => {
        this.#renewing = undefined;
      });
    });
  }

  /** Idempotent. Lets the next process begin at once; one that cannot be told waits for the lease to lapse. */
  async release(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#stop.abort();
    await this.#renewing;
    const version = this.#version;
    this.#version = undefined;
    if (version === undefined || !this.#isNeeded || !this.#isReachable) return;
    await this.#options.storage
      .commit([{ kind: 'delete', collection: LEASES, id: ID, expectVersion: version }])
      .catch(() => undefined);
  }

  /**
   * Resolves when nobody else works on another storage, whose data is to be replaced; takes nothing. Looks for
   * {@link LAPSE_MS} when that is not clear. Rejects with `storage.locked` when somebody does, and with the signal's reason.
   */
  async refuseUsed(storage: Storage, signal: AbortSignal): Promise<void> {
    if (!storage.supports.sharedByProcesses) return;
    const found = await findOwner(storage);
    if (found !== undefined && !this.#isFree(found.value)) {
      await refuseRenewed(storage, found, this.#clock, signal);
    }
  }

  /** Asked each time: a move may put another storage in the place of this one. */
  get #isNeeded(): boolean {
    return this.#options.storage.supports.sharedByProcesses;
  }

  get #isReachable(): boolean {
    return this.#options.isReachable?.() ?? true;
  }

  async #acquire(): Promise<void> {
    const { storage } = this.#options;
    for (;;) {
      const found = await findOwner(storage);
      if (found !== undefined && !this.#isFree(found.value)) {
        const { host, pid } = found.value;
        this.#options.logger.info(
          'The storage was not let go of; looking whether somebody still works on it',
          {
            host,
            pid,
            forMs: LAPSE_MS,
          },
        );
        await refuseRenewed(storage, found, this.#clock, this.#stop.signal);
      }
      try {
        const [put] = await storage.commit([
          {
            kind: 'put',
            collection: LEASES,
            id: ID,
            value: this.#own,
            expectVersion: found?.version ?? 0,
          },
        ]);
        this.#version = put?.version;
        return;
      } catch (error) {
        // Somebody was quicker; it is looked at again.
        if (!isCoded(error, 'storage.version_conflict')) throw error;
      }
    }
  }

  /**
   * Known without waiting. A process of that number that is alive proves nothing: it may be another one, also in another
   * container of the same name.
   */
  #isFree({ instance, host, pid }: InstanceOwner): boolean {
    return instance === this.#own.instance || (host === this.#own.host && !this.#isAlive(pid));
  }

  /** Never rejects: what cannot be renewed now is tried again with the next renewal. */
  async #renew(): Promise<void> {
    if (!this.#isNeeded || !this.#isReachable) return;
    try {
      if (this.#version !== undefined) {
        const [put] = await this.#options.storage.commit([
          { kind: 'put', collection: LEASES, id: ID, value: this.#own, expectVersion: this.#version },
        ]);
        this.#version = put?.version;
        return;
      }
    } catch (error) {
      if (!isCoded(error, 'storage.version_conflict')) return;
    }
    // A backup was restored or the data has moved here, and with it came an older lease; or another one has it.
    this.#version = undefined;
    try {
      await this.#acquire();
      this.#tellShared(undefined);
    } catch (error) {
      if (isCoded(error, 'storage.locked')) this.#tellShared(error.message);
    }
  }

  #tellShared(message: string | undefined): void {
    const isShared = message !== undefined;
    if (isShared === this.#isShared) return;
    this.#isShared = isShared;
    this.#options.onShared?.(message);
  }
}

/** Resolves when the lease was let go, or has not changed for long enough; rejects with `storage.locked` when it is renewed. */
async function refuseRenewed(
  storage: Storage,
  found: StoredDocument<InstanceOwner>,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<void> {
  const begun = clock.monotonic();
  while (clock.monotonic() - begun < LAPSE_MS) {
    await delay(clock, WATCH_MS, signal);
    const now = await findOwner(storage);
    if (now === undefined) return;
    if (now.version !== found.version || now.value.instance !== found.value.instance) throw used(now.value);
  }
}

function findOwner(storage: Storage): Promise<StoredDocument<InstanceOwner> | undefined> {
  return storage.get<InstanceOwner>(LEASES, ID);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCodeOf(error) === 'EPERM';
  }
}

function used({ host, pid, since }: InstanceOwner): Error {
  return fault(
    'storage.locked',
    'Another SmallTalk Console works on this storage. Stop it, or give each a storage of its own. ' +
      `It is process ${pid} on ${host}, since ${new Date(since).toISOString().slice(0, 16).replace('T', ' ')} UTC.`,
    { host, pid, since },
  );
}
