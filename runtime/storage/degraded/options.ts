import type { Clock } from '../../base/clock.ts';
import type { MakeId } from '../../base/ids.ts';
import type { Storage, StorageOptions } from '../storage.ts';
import type { ModeListener } from './mode.ts';

export interface DegradedStorageOptions extends StorageOptions {
  /** A remote adapter, not open yet; from now on it belongs to this one. */
  storage: Storage;
  /** Where journals lie (`<DATA_DIR>/journal`); made when the first one is needed. */
  folder: string;
  /** Default 64 MB. */
  knownBytes?: number;
  /** Milliseconds; default 15 s. */
  deadlineMs?: number;
  clock?: Clock;
  makeId?: MakeId;
  /** For the jitter of the probes; default `Math.random`. */
  random?: () => number;
  /** Told when the state of `mode` changes; with a report when an outage is over. */
  onModeChange?: ModeListener;
}
