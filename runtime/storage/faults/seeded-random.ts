/**
 * Random numbers from 0 up to but not including 1 that a seed repeats (the "mulberry32" recurrence): a fault that was found
 * once can be looked at again. `FAULT_SEED` sets the seed of all suites.
 */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What the suites use when nobody says: always the same, so that a failure is of the change at hand. */
const USUAL_SEED = 20_261_121;

/** The seed of this run: `FAULT_SEED`, of which 0 stands for another one each time. To be printed when something fails. */
export function faultSeed(): number {
  const given = Number(process.env.FAULT_SEED ?? USUAL_SEED);
  return Number.isSafeInteger(given) && given > 0 ? given : Math.floor(Math.random() * 2 ** 31) + 1;
}
