/** Something that is started and stopped. Both are idempotent and share the promise in flight. */
export interface Service {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Makes a {@link Service} out of two functions. Calls in flight are shared; `stop` waits for a `start` under way and
 * the other way round; a `start` or `stop` that failed may be tried again.
 */
export function lifecycle(steps: { start(): Promise<void>; stop(): Promise<void> }): Service {
  let running = false;
  let inFlight: { kind: 'start' | 'stop'; done: Promise<void> } | undefined;

  const turn = async (kind: 'start' | 'stop'): Promise<void> => {
    while (inFlight !== undefined) {
      if (inFlight.kind === kind) return inFlight.done;
      await inFlight.done.catch(() => undefined);
    }
    if (running === (kind === 'start')) return;
    const done = steps[kind]().then(() => {
      running = kind === 'start';
    });
    inFlight = { kind, done };
    try {
      await done;
    } finally {
      inFlight = undefined;
    }
  };

  return { start: () => turn('start'), stop: () => turn('stop') };
}
