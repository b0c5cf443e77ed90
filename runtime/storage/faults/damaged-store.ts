import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isCoded } from '../../base/errors.ts';
import type { Storage, StorageFault } from '../storage.ts';
import { judge, readEverything, type Verdict } from './reference-data.ts';
import { type FaultRig, openRig } from './rig-storage.ts';

/** A place in the files of a store. */
export interface Place {
  /** Relative to the data folder. */
  file: string;
  /** In bytes from the start of the file. */
  at: number;
}

export interface Examination extends Verdict {
  /**
   * The code of the error with which the store refused to be opened, or `storage.set_aside` when it has put its data away
   * and begun afresh: a backup is offered then.
   */
  refused?: string;
  /** How many ways of reading were refused, by an error of the port. */
  refusals: number;
  faults: StorageFault[];
}

const SET_ASIDE = 'storage.set_aside';

/** The reference data in a folder, to be damaged again and again. */
export class DamagedStore {
  readonly #rig: FaultRig;
  readonly #reference: string;
  readonly #dataDir: string;
  /** The files and their sizes. */
  readonly files: { file: string; size: number }[];

  constructor(rig: FaultRig, folder: string) {
    this.#rig = rig;
    this.#reference = join(folder, 'reference');
    this.#dataDir = join(folder, 'data');
    const program = join(import.meta.dirname, 'reference-writer.ts');
    const written = spawnSync(process.execPath, [program, JSON.stringify(rig), this.#reference], {
      encoding: 'utf8',
    });
    if (written.signal !== 'SIGKILL') throw new Error(`The reference was not written: ${written.stderr}`);
    this.files = (readdirSync(this.#reference, { recursive: true, encoding: 'utf8' }) as string[])
      .sort()
      .map((file) => ({ file, stats: statSync(join(this.#reference, file)) }))
      .filter(({ stats }) => stats.isFile())
      .map(({ file, stats }) => ({ file, size: stats.size }));
  }

  /** Puts the data back as they were. */
  restore(): void {
    rmSync(this.#dataDir, { recursive: true, force: true });
    cpSync(this.#reference, this.#dataDir, { recursive: true });
  }

  flip({ file, at }: Place, bit: number): void {
    this.#change(file, (bytes) => {
      bytes[at] = (bytes[at] as number) ^ (1 << bit);
      return bytes;
    });
  }

  truncate({ file, at }: Place): void {
    this.#change(file, (bytes) => bytes.subarray(0, at));
  }

  /** Opens the store and reads everything; `afterwards` may go on with it. */
  async examine(
    options: { mayRollBack?: boolean; afterwards?: (storage: Storage) => Promise<string[]> } = {},
  ): Promise<Examination> {
    const faults: StorageFault[] = [];
    let storage: Storage;
    try {
      storage = await openRig(this.#rig, this.#dataDir, faults);
    } catch (error) {
      if (!isCoded(error)) throw error;
      return { wrong: [], lost: [], rolledBack: 0, refused: error.code, refusals: 0, faults };
    }
    const { notices } = await storage.info();
    if (notices.some(({ code }) => code === SET_ASIDE)) {
      await storage.close();
      return { wrong: [], lost: [], rolledBack: 0, refused: SET_ASIDE, refusals: 0, faults };
    }
    const report = await readEverything(storage);
    const verdict = await judge(report, faults, options);
    verdict.wrong.push(...((await options.afterwards?.(storage)) ?? []));
    await storage.close();
    return { ...verdict, refusals: report.refusals.size, faults };
  }

  #change(file: string, change: (bytes: Buffer) => Uint8Array): void {
    const path = join(this.#dataDir, file);
    writeFileSync(path, change(readFileSync(path)));
  }
}
