/**
 * One measurement in a process of its own, which loads nothing but what it needs. Arguments: its name, a folder, and how much
 * work there is, as JSON.
 */
const MEASUREMENTS = {
  forks: async (folder: string, { rounds, count }: { rounds: number; count: number }) =>
    (await import('./forks.ts')).measureForks(folder, rounds, count),
  starts: async (folder: string, { rounds }: { rounds: number }) =>
    (await import('./recovery.ts')).measureStarts(folder, rounds),
  kills: async (folder: string, { rounds, keepSpare }: { rounds: number; keepSpare: boolean }) =>
    (await import('./recovery.ts')).measureKills(folder, rounds, keepSpare),
  massKills: async (folder: string, { rounds, count }: { rounds: number; count: number }) =>
    (await import('./recovery.ts')).measureMassKills(folder, rounds, count),
  stalls: async (folder: string, { rounds }: { rounds: number }) =>
    (await import('./spawn-stall.ts')).measureStalls(folder, rounds),
  idle: async (folder: string, { count, ms }: { count: number; ms: number }) =>
    (await import('./overhead.ts')).measureIdle(folder, count, ms),
  crashLoop: async (folder: string, { ms }: { ms: number }) =>
    (await import('./overhead.ts')).measureCrashLoop(folder, ms),
  streams: async (
    folder: string,
    work: { agents: number; sessions: number; pieces: number; perSecond: number },
  ) => (await import('./streams.ts')).measureStreams(folder, work),
};

type Measurements = typeof MEASUREMENTS;
/** How much each measurement is to do, and what it finds. */
export type Work = { [Name in keyof Measurements]: Parameters<Measurements[Name]>[1] };
export type Measured = { [Name in keyof Measurements]: Awaited<ReturnType<Measurements[Name]>> };

if (import.meta.main) {
  const [name = '', folder = '', work = ''] = process.argv.slice(2);
  const measure = MEASUREMENTS[name as keyof Work] as (folder: string, work: unknown) => Promise<unknown>;
  process.send?.(await measure(folder, JSON.parse(work)), () => process.exit());
}
