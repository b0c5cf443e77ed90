import type { Manifest } from '../contract/index.ts';
import type { SnapshotRecord } from '../storage/storage.ts';

/** Counts records as a manifest tells them. Maps, because a collection may have the name of what every object inherits. */
export class ArchiveCounts {
  #records = 0;
  readonly #documents = new Map<string, number>();
  readonly #logs = new Map<string, number>();

  add(record: SnapshotRecord): void {
    this.#records += 1;
    if (record.kind === 'document') increase(this.#documents, record.collection);
    if (record.kind === 'entry') increase(this.#logs, record.log.split('/', 1)[0] as string);
  }

  get records(): number {
    return this.#records;
  }

  /** In the order of their names, so that equal counts read equal. */
  toManifest(): Manifest['counts'] {
    return { records: this.#records, documents: toObject(this.#documents), logs: toObject(this.#logs) };
  }
}

function increase(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function toObject(counts: Map<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}
