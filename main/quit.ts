/** A quit that loses nothing: the runtime is stopped first, within a bound. Imports nothing of Electron. */

export interface Quit {
  /** For Electron's `before-quit`: holds the quit until the runtime has stopped; a second quit does not wait. */
  onBeforeQuit(event: { preventDefault(): void }): void;
  /** True from the first quit on; windows then close for good. */
  readonly underway: boolean;
}

export function createQuit(options: {
  /** Stops the runtime within its own grace; see `RuntimeHost.stop`. */
  stop: () => Promise<'stopped' | 'gave-up'>;
  /** Ends the process at once, with this exit code. */
  exit: (code: number) => void;
}): Quit {
  let underway = false;
  return {
    onBeforeQuit(event) {
      event.preventDefault();
      if (underway) return options.exit(1);
      underway = true;
      void options.stop().then((result) => options.exit(result === 'stopped' ? 0 : 1));
    },
    get underway() {
      return underway;
    },
  };
}
