import type { CarryOutWork, JournalWriter } from './journal-writer.ts';

/** What is durable goes into the files when nothing more was committed for so many ms, … */
const QUIET_MS = 250;
/** … or when the first of it has waited for so long, … */
const LONGEST_MS = 5_000;
/** … or when so many bytes wait. */
const URGENT_BYTES = 8 * 1024 * 1024;

/**
 * When what the journal made durable is carried out in the files: one piece of work at a time. It is put off while commits
 * stream in, because it takes the disk from them, and because what changes again meanwhile is written once. How much a start
 * after a crash has to carry out, and how much is held in memory until then, is bounded by the bytes; how far the files are
 * behind is bounded by the time.
 */
export class CarryOut {
  readonly #journal: () => JournalWriter;
  /** Does it; rejects when the storage has to recover. */
  readonly #run: (work: CarryOutWork) => Promise<void>;
  #stopped = false;
  #underWay: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When the last commit became durable, … */
  #last = 0;
  /** … and the first of those that wait. */
  #first = 0;

  constructor(journal: () => JournalWriter, run: (work: CarryOutWork) => Promise<void>) {
    this.#journal = journal;
    this.#run = run;
  }

  /** Begins nothing more until `resume`: what would be carried out is in doubt. */
  stop(): void {
    this.#stopped = true;
    this.cancel();
  }

  resume(): void {
    this.#stopped = false;
  }

  /** Has it done soon: something more is durable. */
  schedule(): void {
    this.#last = performance.now();
    if (this.#underWay !== undefined || this.#stopped) return;
    if (this.#journal().waitingBytes >= URGENT_BYTES) {
      // A failure is told to the next commit.
      this.begin().catch(() => undefined);
      return;
    }
    if (this.#timer !== undefined) return;
    this.#first = this.#last;
    this.#wait(QUIET_MS);
  }

  /** Takes back what `schedule` has put off. */
  cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Waits for what is under way, whatever comes of it. */
  async settled(): Promise<void> {
    await this.#underWay?.catch(() => undefined);
  }

  /** Joins what is under way or does all that there is now; `last` when nothing more will be written to the journal. */
  begin(last = false): Promise<void> {
    this.cancel();
    if (this.#underWay !== undefined) return this.#underWay;
    const work = this.#stopped ? undefined : this.#journal().work(last);
    if (work === undefined) return Promise.resolve();
    this.#underWay = this.#run(work).finally(() => {
      this.#underWay = undefined;
      if (this.#journal().waitingBytes > 0) this.schedule();
    });
    return this.#underWay;
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => this.#look(), ms);
    this.#timer.unref();
  }

  #look(): void {
    const now = performance.now();
    const wait = Math.min(this.#last + QUIET_MS, this.#first + LONGEST_MS) - now;
    if (wait > 0) this.#wait(wait);
    else this.begin().catch(() => undefined);
  }
}
