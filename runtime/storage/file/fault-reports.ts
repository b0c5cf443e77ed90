import type { StorageFault } from '../storage.ts';
import type { FaultNotice } from './keeper-calls.ts';

/** Tells of damaged records, of each once until it is out of the way. */
export class FaultReports {
  readonly #onFault: ((fault: StorageFault) => void) | undefined;
  readonly #reported = new Set<string>();

  constructor(onFault: ((fault: StorageFault) => void) | undefined) {
    this.#onFault = onFault;
  }

  /** False when all of them were reported before. `version` is given for those that are not records of now. */
  add(notices: readonly FaultNotice[], version = ''): boolean {
    const fresh = notices.filter(({ record }) => !this.#reported.has(`${version}\n${record}`));
    for (const { record, message } of fresh) {
      this.#reported.add(`${version}\n${record}`);
      this.#onFault?.({ code: 'storage.corrupt_record', record, message });
    }
    return fresh.length > 0;
  }

  /** The record is out of the way: another one by its name would be news. */
  forget(record: string): void {
    this.#reported.delete(`\n${record}`);
  }

  forgetAll(): void {
    this.#reported.clear();
  }
}

export function damagedDocument(collection: string, id: string): FaultNotice {
  const record = `document ${collection}/${id}`;
  const message = `The ${record} failed its checksum, or its file is gone; it was set aside and is not served.`;
  return { record, message };
}

/** What there is to tell of damaged entries of a log; without any, one of its line breaks is damaged. */
export function damagedEntries(log: string, sequences: readonly number[]): FaultNotice[] {
  if (sequences.length === 0) {
    return [{ record: `log ${log}`, message: `A line break in the file of the log ${log} was damaged.` }];
  }
  return sequences.map((sequence) => {
    const record = `entry ${log}#${sequence}`;
    return { record, message: `The ${record} failed its checksum; it was set aside and is not served.` };
  });
}
