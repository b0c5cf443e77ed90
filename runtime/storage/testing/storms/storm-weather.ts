/** What can happen in a storm: to the processes that write, to their connections, and to the servers. */
import type { Storage } from '../../storage.ts';
import type { TestServer } from '../servers/server-process.ts';
import type { TcpProxy } from '../servers/tcp-proxy.ts';
import { type Break, now } from './storm-notes.ts';
import type { StormProcess } from './storm-process.ts';
import { switchGeneration } from './switch-generation.ts';

/** What a fault gets to work with. */
export interface Sky {
  /** From 0 up to but not including 1. */
  random: () => number;
  /** The processes that write, of which the fault picks one. */
  processes: readonly StormProcess[];
  /** Puts a new process in the place of one that has ended. */
  replace(process: StormProcess): StormProcess;
  /** What was acknowledged before may be gone. */
  broke(one: Break): void;
}

export interface Fault {
  name: string;
  /** How often it comes, beside the others. */
  weight: number;
  run(sky: Sky): Promise<void>;
}

/** A fault that lasts, lasts up to so many milliseconds. */
export const LONGEST_MS = 1_200;

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

export function pick<T>(items: readonly T[], random: () => number): T {
  return items[Math.floor(random() * items.length)] as T;
}

/** Mostly it gets to write before the next fault, and now and then that meets it while it opens the data. */
async function begin(process: StormProcess, random: () => number): Promise<void> {
  if (random() < 0.8) await process.told('writing');
}

export const PROCESS_KILL: Fault = {
  name: 'a process is killed',
  weight: 2,
  async run({ random, processes, replace }) {
    const process = pick(processes, random);
    await process.kill();
    await pause(random() * 200);
    await begin(replace(process), random);
  },
};

export const PROCESS_PAUSE = processPause(LONGEST_MS);

export function processPause(longestMs: number): Fault {
  return {
    name: 'a process stands still',
    weight: 2,
    async run({ random, processes }) {
      const process = pick(processes, random);
      process.pause();
      await pause(random() * longestMs);
      process.resume();
    },
  };
}

/** By a process itself, where only one may open the data; now and then it is killed in the midst of it. */
export const OWN_SWITCH: Fault = {
  name: 'the generation is switched',
  weight: 1,
  async run({ random, processes, replace, broke }) {
    const process = pick(processes, random);
    const began = now();
    const switched = process.told('switched');
    process.switchGeneration();
    if (random() < 0.5) return switched;
    await Promise.race([switched, pause(random() * 60)]);
    await process.kill();
    broke({ what: 'switched', began, ended: now() });
    await begin(replace(process), random);
  },
};

/** From outside, past everything that happens to the others. */
export function switchBy(direct: Storage): Fault {
  return {
    name: 'the generation is switched',
    weight: 1,
    async run({ random, broke }) {
      const began = now();
      try {
        broke(await switchGeneration(direct, random));
      } catch (error) {
        // It may have been carried out.
        broke({ what: 'switched', began, ended: now() });
        throw error;
      }
    },
  };
}

/** `longestMs`: for how long it hangs at the most, now and then: longer than those who use it wait for an answer. */
export function serverFaults(name: string, server: TestServer, longestMs = LONGEST_MS): Fault[] {
  return [
    {
      name: `${name} is killed and started again`,
      weight: 1,
      async run({ random }) {
        await server.kill();
        await pause(random() * 400);
        await server.restart();
      },
    },
    {
      name: `${name} hangs`,
      weight: 1,
      async run({ random }) {
        server.pause();
        await pause(random() * pick([LONGEST_MS, longestMs], random));
        server.resume();
      },
    },
  ];
}

/** To the connections of one process at a time. `marker` stands in every commit. */
export function networkFaults(proxies: readonly TcpProxy[], marker: string): Fault[] {
  return [
    {
      name: 'connections are cut',
      weight: 2,
      async run({ random }) {
        pick(proxies, random).cut();
      },
    },
    {
      name: 'the network hangs',
      weight: 2,
      async run({ random }) {
        const proxy = pick(proxies, random);
        proxy.hang();
        await pause(random() * LONGEST_MS);
        await proxy.heal();
      },
    },
    {
      name: 'a commit does not arrive',
      weight: 1,
      async run({ random }) {
        void pick(proxies, random).cutRequest(marker);
      },
    },
    {
      name: 'the answer to a commit is lost',
      weight: 2,
      async run({ random }) {
        void pick(proxies, random).dropAnswer(marker);
      },
    },
  ];
}

/** A commit that arrives long after its client has sent it once more; only where a connection needs no beginning. */
export class LateRequests {
  readonly #waiting: (() => void)[] = [];

  fault(proxies: readonly TcpProxy[], marker: string): Fault {
    return {
      name: 'a commit is late',
      weight: 3,
      run: async ({ random }) => {
        if (random() < 0.4) return this.arrive();
        void pick(proxies, random)
          .delayRequest(marker)
          .then((send) => this.#waiting.push(send));
      },
    };
  }

  arrive(): void {
    for (const send of this.#waiting.splice(0)) send();
  }

  /** Before what they would be compared with is lost. */
  forget(): void {
    this.#waiting.length = 0;
  }
}
