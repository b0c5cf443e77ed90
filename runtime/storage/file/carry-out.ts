import type { CarryOutWork, JournalWriter } from './journal-writer.ts';

/** What is durable goes into the files so many ms later, … */
const DELAY_MS = 250;
/** … or later, so that carrying out takes a tenth of the time at most: what changes again meanwhile is written once. */
const SHARE = 10;
const LONGEST_DELAY_MS = 2_000;
/** With so many bytes waiting it is begun at once. */
const URGENT_BYTES = 8 * 1024 * 1024;

/** When what the journal made durable is carried out in the files: one piece of work at a time. */
export class CarryOut {
  readonly #journal: () => JournalWriter;
  /** Does it; rejects when the storage has to recover. */
  readonly #run: (work: CarryOutWork) => Promise<void>;
  #stopped = false;
  #underWay: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #delayMs = DELAY_MS;

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

  /** Has it done soon. */
  schedule(): void {
    if (this.#underWay !== undefined || this.#stopped) return;
    if (this.#journal().waitingBytes >= URGENT_BYTES) {
      // A failure is told to the next commit.
      this.begin().catch(() => undefined);
      return;
    }
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.begin().catch(() => undefined), this.#delayMs);
    this.#timer.unref();
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
    this.#underWay = this.#measured(work).finally(() => {
      this.#underWay = undefined;
      if (this.#journal().waitingBytes > 0) this.schedule();
    });
    return this.#underWay;
  }

  async #measured(work: CarryOutWork): Promise<void> {
    const begun = performance.now();
    await this.#run(work);
    const took = performance.now() - begun;
    this.#delayMs = Math.min(Math.max(DELAY_MS, took * SHARE), LONGEST_DELAY_MS);
  }
}
