import type { Clock, Timer } from '../base/clock.ts';
import { lifecycle, type Service } from '../base/lifecycle.ts';
import type { Sample } from '../contract/index.ts';
import { DurationWindow } from './duration-window.ts';

const SAMPLE_INTERVAL_MS = 5000;
/** 24 h of them. */
const CAPACITY = 17_280;
/** Percentiles are over the last minute: over 5 s a quiet system shows nothing but noise. */
const WINDOW_INTERVALS = 12;

const COLUMNS = [
  'at',
  'eventsPerSecond',
  'propagationP95Ms',
  'storageP95Ms',
  'memoryBytes',
  'activeSessions',
] as const satisfies (keyof Sample)[];

export interface SampleProbes {
  clock: Clock;
  activeSessions: () => number;
  /** Default: the resident memory of this process. */
  memoryBytes?: () => number;
}

/** The figures that the Overview draws, a sample every 5 s for the last 24 h; kept in memory only. */
export interface Samples extends Service {
  eventPublished(): void;
  eventPropagation(seconds: number): void;
  storageOperation(seconds: number): void;
  /** Those of the last `minutes`, the oldest first. */
  list(minutes: number): Sample[];
}

export function createSamples(probes: SampleProbes): Samples {
  const { clock } = probes;
  const memoryBytes = probes.memoryBytes ?? (() => process.memoryUsage.rss());
  const propagation = new DurationWindow(WINDOW_INTERVALS);
  const storage = new DurationWindow(WINDOW_INTERVALS);
  // Plain numbers in one block: a day of objects would take four times the memory.
  const ring = new Float64Array(CAPACITY * COLUMNS.length);
  let written = 0;
  let events = 0;
  let lastSampledAt = clock.monotonic();
  let timer: Timer | undefined;

  function sample(): void {
    const now = clock.monotonic();
    const seconds = (now - lastSampledAt) / 1000;
    write({
      at: clock.now(),
      eventsPerSecond: seconds > 0 ? events / seconds : 0,
      propagationP95Ms: propagation.percentile(0.95) * 1000,
      storageP95Ms: storage.percentile(0.95) * 1000,
      memoryBytes: memoryBytes(),
      activeSessions: probes.activeSessions(),
    });
    events = 0;
    lastSampledAt = now;
    propagation.advance();
    storage.advance();
  }

  function write(values: Sample): void {
    const row = (written % CAPACITY) * COLUMNS.length;
    for (const [column, name] of COLUMNS.entries()) ring[row + column] = values[name];
    written += 1;
  }

  function at(index: number): Sample {
    const row = (index % CAPACITY) * COLUMNS.length;
    const figure = (name: (typeof COLUMNS)[number]) => ring[row + COLUMNS.indexOf(name)] ?? 0;
    return {
      at: figure('at'),
      eventsPerSecond: figure('eventsPerSecond'),
      propagationP95Ms: figure('propagationP95Ms'),
      storageP95Ms: figure('storageP95Ms'),
      memoryBytes: figure('memoryBytes'),
      activeSessions: figure('activeSessions'),
    };
  }

  const service = lifecycle({
    async start() {
      lastSampledAt = clock.monotonic();
      timer = clock.every(SAMPLE_INTERVAL_MS, sample);
    },
    async stop() {
      timer?.cancel();
    },
  });

  return {
    ...service,
    eventPublished: () => {
      events += 1;
    },
    eventPropagation: (seconds) => propagation.record(seconds),
    storageOperation: (seconds) => storage.record(seconds),
    list(minutes) {
      const since = clock.now() - minutes * 60_000;
      const samples: Sample[] = [];
      for (let index = written - 1; index >= Math.max(0, written - CAPACITY); index--) {
        const found = at(index);
        if (found.at < since) break;
        samples.push(found);
      }
      return samples.reverse();
    },
  };
}
