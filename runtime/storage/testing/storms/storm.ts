/**
 * A storm: several processes with several instances each commit and read at random on the same data, while processes are
 * killed and stopped, connections are cut, servers end and hang. In the end, what is there is compared with what was
 * acknowledged. It looks for the faults that nobody has thought of; what it found has become a case of its own elsewhere.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { messageOf } from '../../../base/errors.ts';
import { recordsOf } from '../../contract/fixture.ts';
import { seededRandom } from '../../faults/seeded-random.ts';
import type { Storage } from '../../storage.ts';
import { StormHistory } from './storm-history.ts';
import type { StormAdapter } from './storm-instances.ts';
import { type Break, type Note, noteInto, notesOf, now } from './storm-notes.ts';
import { makePlace } from './storm-places.ts';
import { StormProcess } from './storm-process.ts';
import { storyOf } from './storm-story.ts';
import { type Fault, pause, pick, type Sky } from './storm-weather.ts';

export interface StormOptions {
  adapter: StormAdapter;
  seconds: number;
  /** Repeats the faults with their times, and what each client is about to do; not how they overtake each other. */
  seed: number;
  /** Of the storm's own: holds data and notes, and `problems.txt` when there are any. */
  folder: string;
  onFault?: (name: string, afterMs: number) => void;
}

export interface StormReport {
  acknowledged: number;
  refused: number;
  /** Of processes that were killed before they knew. */
  unknown: number;
  reads: number;
  /** How often each came. */
  faults: Record<string, number>;
  /** What was lost, doubled, halved or old, the first ones with their stories; an empty list is the only good one. */
  problems: string[];
}

/** Between two faults pass up to so many milliseconds: long enough to recover, or not quite. */
const REST_MS = 600;
/** A storm goes on until so many faults have come, however long each takes on a busy machine. */
const FAULTS_AT_LEAST = 3;
/** How long writers may take to come to their end once all is well. */
const PATIENCE_MS = 60_000;
/** More problems than this are told without their stories. */
const STORIES = 5;
/** In front of the name of every writer, so that proxies find commits. */
const MARKER = 'storm';

export async function runStorm({
  adapter,
  seconds,
  seed,
  folder,
  onFault,
}: StormOptions): Promise<StormReport> {
  const random = seededRandom(seed);
  const problems: string[] = [];
  // Whatever becomes of what it answers and prints: it would not come again.
  const keep = (told: readonly string[]) =>
    writeFile(join(folder, 'problems.txt'), `seed ${seed}\n\n${told.join('\n\n')}\n`);
  const place = await makePlace(adapter, folder, MARKER, (message) => problems.push(message));
  const all: StormProcess[] = [];
  const running: StormProcess[] = [];
  const start = (number: number): StormProcess => {
    const life = all.length + 1;
    const process = new StormProcess({
      rig: place.rig(number),
      seed: seed * 1_000 + life * 10,
      name: `${MARKER}${life}`,
      noteFile: join(folder, `notes-${life}`),
      number,
    });
    all.push(process);
    running[number] = process;
    return process;
  };
  try {
    await Promise.all(Array.from({ length: place.processes }, (_, i) => start(i).told('writing')));
    const breaks: Break[] = [];
    const weatherFile = join(folder, 'notes-of-the-storm');
    const note = noteInto(weatherFile);
    const faults: Record<string, number> = {};
    const begun = performance.now();
    for (let number = 1; ; number++) {
      await pause(random() * REST_MS);
      const afterMs = performance.now() - begun;
      if (afterMs > seconds * 1_000 && number > FAULTS_AT_LEAST) break;
      const fault = pickWeighted(place.faults, random);
      onFault?.(fault.name, afterMs);
      faults[fault.name] = (faults[fault.name] ?? 0) + 1;
      const sky: Sky = {
        random,
        processes: running,
        replace: (process) => start(running.indexOf(process)),
        broke: (one) => {
          breaks.push(one);
          note('break', one);
        },
      };
      const began = now();
      await fault.run(sky).catch((error) => problems.push(`${fault.name}: ${messageOf(error)}`));
      note('fault', fault.name, { began, ended: now() });
    }
    await place.calm();
    await Promise.all(running.map((process) => process.end(PATIENCE_MS)));
    const notes = all.flatMap((process): Note[] => process.notes());
    const history = new StormHistory(notes, breaks);
    try {
      const direct = await place.direct();
      problems.push(...history.problems(await recordsOf(direct)), ...(await indexProblems(direct)));
    } catch (error) {
      problems.push(`what is there could not be read: ${messageOf(error)}`, ...history.problems([]));
    }
    const told = withStories(problems, [...notes, ...notesOf(weatherFile)]);
    if (told.length > 0) await keep(told);
    return { ...history.counts, faults, problems: told };
  } catch (error) {
    await keep([...problems, inspect(error)]);
    throw error;
  } finally {
    for (const process of all) if (process.isRunning) await process.kill();
    await place.dispose();
  }
}

function withStories(problems: readonly string[], notes: readonly Note[]): string[] {
  return problems.map((problem, i) =>
    i < STORIES ? [problem, ...storyOf(problem, notes).map((line) => `    ${line}`)].join('\n') : problem,
  );
}

/** What is found by its fields is what is found by its name. */
async function indexProblems(storage: Storage): Promise<string[]> {
  const problems: string[] = [];
  for (const [collection, field] of [
    ['sessions', 'value'],
    ['counters', 'count'],
  ] as const) {
    const { items } = await storage.list<string | number>(collection, { limit: 1_000 });
    for (const { id, version, value } of items) {
      const found = await storage.list(collection, { where: [{ field, is: value }], limit: 10 });
      const name = `${collection}/${id}`;
      if (!found.items.some((item) => item.id === id)) problems.push(`${name} is not found by its field`);
      const read = await storage.get(collection, id);
      if (read?.version !== version)
        problems.push(`${name} is at ${version}, and is read as ${read?.version}`);
    }
  }
  return problems;
}

function pickWeighted(faults: readonly Fault[], random: () => number): Fault {
  return pick(
    faults.flatMap((fault) => Array.from({ length: fault.weight }, () => fault)),
    random,
  );
}
