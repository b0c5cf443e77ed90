/**
 * Counts the calls that have not been answered yet, so that `close` can wait for them. A set of their promises would do as
 * well, but what it has given up lives on for many collections, with all that the calls have read.
 */
export class CallsUnderWay {
  #count = 0;
  #waiting: (() => void)[] = [];

  /** Answers the call itself. */
  track<T>(call: Promise<T>): Promise<T> {
    this.begin();
    call.then(this.end, this.end);
    return call;
  }

  /** For a call whose end is told by {@link end}. */
  begin(): void {
    this.#count += 1;
  }

  readonly end = (): void => {
    this.#count -= 1;
    if (this.#count === 0) for (const wake of this.#waiting.splice(0)) wake();
  };

  /** Resolves when there are none. */
  async settled(): Promise<void> {
    while (this.#count > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}
