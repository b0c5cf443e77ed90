/** Owns the embedded runtime; the one file to change if it moves to a utility process. Imports nothing of Electron. */
import { type Fetch, problem } from './fetch-bridge.ts';

/** What the host needs of a runtime; `createRuntime` of `runtime/index.ts` makes one. */
export interface EmbeddedRuntime {
  fetch: Fetch;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface RuntimeHost {
  /** Starts the runtime; calls in flight share one start. Rejects with its reason, and may then be tried again. */
  start(): Promise<void>;
  /** Stops it, waiting for a start under way; never rejects and never takes longer than the grace. */
  stop(): Promise<'stopped' | 'gave-up'>;
  /** Answers from the runtime; while it starts, requests wait; without one, a 503 that says why. */
  fetch: Fetch;
  /** Why the last start failed, if it did. */
  readonly failure: unknown;
}

export function createRuntimeHost(options: {
  /** Makes a fresh runtime for each start, because the settings may have been repaired in between. */
  create: () => Promise<EmbeddedRuntime>;
  /** How long `stop` may take, in milliseconds. */
  graceMs: number;
  /** Told when a stop failed or took too long. */
  onStopError?: (error: unknown) => void;
}): RuntimeHost {
  let runtime: EmbeddedRuntime | undefined;
  let starting: Promise<void> | undefined;
  let stopping: Promise<'stopped' | 'gave-up'> | undefined;
  let failure: unknown;

  const startOnce = async () => {
    failure = undefined;
    let fresh: EmbeddedRuntime | undefined;
    try {
      fresh = await options.create();
      await fresh.start();
      runtime = fresh;
    } catch (error) {
      failure = error;
      // What a start that failed half-way left open (a lock, a database) would be in the way of the next try.
      await fresh?.stop().catch((stopError) => options.onStopError?.(stopError));
      throw error;
    }
  };

  const stopOnce = async () => {
    await starting?.catch(() => undefined);
    await runtime?.stop();
    runtime = undefined;
  };

  return {
    start() {
      if (stopping !== undefined) return Promise.reject(new Error('The runtime is shutting down.'));
      if (runtime !== undefined) return Promise.resolve();
      starting ??= startOnce().finally(() => {
        starting = undefined;
      });
      return starting;
    },

    stop() {
      stopping ??= within(options.graceMs, stopOnce()).then(
        () => 'stopped' as const,
        (error) => {
          options.onStopError?.(error);
          return 'gave-up' as const;
        },
      );
      return stopping;
    },

    async fetch(request) {
      if (stopping === undefined) await starting?.catch(() => undefined);
      if (stopping === undefined && runtime !== undefined) return runtime.fetch(request);
      return failure === undefined
        ? problem(503, 'runtime.stopped', 'The runtime is shutting down', 'Start the app again to go on.')
        : problem(503, 'runtime.failed', 'The runtime did not start', messageOf(failure));
    },

    get failure() {
      return failure;
    },
  };
}

async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`The runtime did not stop within ${ms} ms.`)), ms);
  });
  try {
    await Promise.race([work, tooLong]);
  } finally {
    clearTimeout(timer);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
