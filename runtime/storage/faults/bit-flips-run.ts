/**
 * The program that flips bits, so that several can do so at a time. Arguments: the rig as JSON, the folder to work in, how
 * many flips, how many at a time, and the seed. Prints a line of JSON: {@link BitFlipReport}.
 */
import { flipBits, randomFlips } from './bit-flips.ts';
import { DamagedStore } from './damaged-store.ts';
import { seededRandom } from './seeded-random.ts';

const [rig, folder, count, atATime, seed] = process.argv.slice(2) as [string, string, string, string, string];
const store = new DamagedStore(JSON.parse(rig), folder);
const flips = randomFlips(store, Number(count), seededRandom(Number(seed)));
const report = await flipBits(store, flips, Number(atATime));
process.stdout.write(`${JSON.stringify(report)}\n`);
