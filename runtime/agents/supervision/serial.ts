/** Works that must not overlap: each begins when those before it have ended, however they ended. */
export class Serial {
  #last: Promise<unknown> = Promise.resolve();

  /** Settles as the work does. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  /** Resolves when all that was given so far has ended. */
  async settled(): Promise<void> {
    await this.#last;
  }
}
