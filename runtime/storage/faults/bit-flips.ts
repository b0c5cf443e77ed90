import type { DamagedStore, Examination, Place } from './damaged-store.ts';

export interface Flip extends Place {
  bit: number;
}

export interface BitFlipReport {
  flips: number;
  /** Flips by what became of them. */
  outcomes: Record<Outcome, number>;
  problems: string[];
}

/**
 * `nothing`: every record is right (the bit was of no record, or its fault was put right) · `record`: what was hit is told
 * and not served, all else is right · `calls`: some calls are refused, because the structure that they go by is damaged ·
 * `store`: the store is refused at open, to be set aside.
 */
export type Outcome = 'nothing' | 'record' | 'calls' | 'store';

/** A file is hit as if it had at least this many bytes, so that small ones, such as pointers, get their share. */
const LEAST_WEIGHT = 512;

/** Places spread over everything that is stored. */
export function randomFlips(store: DamagedStore, count: number, random: () => number): Flip[] {
  const files = store.files.filter(({ size }) => size > 0);
  const weight = (size: number) => Math.max(size, LEAST_WEIGHT);
  const total = files.reduce((sum, { size }) => sum + weight(size), 0);
  return Array.from({ length: count }, () => {
    let chosen = random() * total;
    const hit = files.find(({ size }) => {
      chosen -= weight(size);
      return chosen < 0;
    });
    if (hit === undefined) throw new Error('Nothing is stored.');
    return { file: hit.file, at: Math.floor(random() * hit.size), bit: Math.floor(random() * 8) };
  });
}

/**
 * Flips the bits, many at a time, and looks at what is served. A group that is refused, in part or as a whole, is divided
 * until it is known which flips did that, so that none hides behind another.
 */
export async function flipBits(
  store: DamagedStore,
  flips: Flip[],
  atATime: number,
  onExamined?: (flips: Flip[], examination: Examination) => void,
): Promise<BitFlipReport> {
  const outcomes = { nothing: 0, record: 0, calls: 0, store: 0 };
  const problems: string[] = [];
  /** Resolves with whether all of them together were clear. */
  const tryGroup = async (group: Flip[]): Promise<boolean> => {
    store.restore();
    for (const { bit, ...place } of group) store.flip(place, bit);
    const examination = await store.examine();
    onExamined?.(group, examination);
    const outcome = outcomeOf(examination);
    const clear = examination.wrong.length === 0 && (outcome === 'nothing' || outcome === 'record');
    if (group.length > 1 && !clear) {
      await divide(group);
      return false;
    }
    problems.push(...problemsOf(group, examination));
    outcomes[outcome] += group.length;
    return clear;
  };
  const divide = async (group: Flip[]): Promise<void> => {
    const half = Math.ceil(group.length / 2);
    const rest = group.slice(half);
    // What is wrong is then in the other half, which need not be asked as a whole.
    if ((await tryGroup(group.slice(0, half))) && rest.length > 1) await divide(rest);
    else await tryGroup(rest);
  };
  for (let i = 0; i < flips.length; i += atATime) await tryGroup(flips.slice(i, i + atATime));
  return { flips: flips.length, outcomes, problems };
}

function outcomeOf({ refused, refusals, lost, faults }: Examination): Outcome {
  if (refused !== undefined) return 'store';
  if (refusals > 0) return 'calls';
  return lost.length > 0 || faults.length > 0 ? 'record' : 'nothing';
}

/** A store that is refused must be so in words that lead to a backup. */
const REFUSED = ['storage.corrupt', 'storage.set_aside', 'storage.newer_version'];

function problemsOf(group: Flip[], { wrong, refused, lost, rolledBack, refusals }: Examination): string[] {
  const where = group.map(({ file, at, bit }) => `${file}@${at}.${bit}`).join(' ');
  const problems = wrong.slice(0, 3).map((problem) => `${where}: ${problem}`);
  if (refused !== undefined && !REFUSED.includes(refused))
    problems.push(`${where}: open rejected ${refused}`);
  // All others stay readable: a flip costs one record, and what hangs on a damaged structure is refused, not missing.
  if (refusals === 0 && rolledBack === 0 && lost.length > group.length) {
    problems.push(`${where}: cost ${lost.length} records: ${lost.slice(0, 5).join(', ')}`);
  }
  return problems;
}
