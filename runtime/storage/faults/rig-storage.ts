import { openStorage } from '../open-storage.ts';
import type { Storage, StorageFault } from '../storage.ts';

/** How the fault suites come by a storage: by its type and a data folder, so that a child process can do it as well. */
export interface FaultRig {
  /** `STORAGE_TYPE`. */
  type: string;
  /** What else `openStorage` takes, such as the address of a server. It must survive JSON. */
  settings?: Record<string, unknown>;
}

/** Opens the storage of a rig; every fault that it tells goes into `faults`. */
export function openRig(rig: FaultRig, dataDir: string, faults: StorageFault[] = []): Promise<Storage> {
  return openStorage({
    ...rig.settings,
    type: rig.type,
    dataDir,
    onFault: (fault) => faults.push(fault),
  });
}
