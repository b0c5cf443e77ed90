/**
 * The program that a storm kills and stops: several instances on the same data, and clients that use them. Arguments: the rig
 * as JSON, the seed, the name of the process, the file of the notes, its place among the processes. Tells `writing` when it
 * begins; ends when it is told `end` and the fate of all that it sent is known. Told `switch`, it makes another generation the
 * active one, and tells `switched`. Now and then it closes an instance and opens it again, while the clients go on.
 */
import { join } from 'node:path';
import { isCoded, messageOf } from '../../../base/errors.ts';
import { recordsOf } from '../../contract/fixture.ts';
import { seededRandom } from '../../faults/seeded-random.ts';
import type { Storage } from '../../storage.ts';
import { StormClient } from './storm-client.ts';
import { makeInstance, type StormRig } from './storm-instances.ts';
import { noteInto, now } from './storm-notes.ts';
import { StormReader } from './storm-reader.ts';
import { gapsOf, snapshotProblems } from './storm-snapshot.ts';
import { switchGeneration } from './switch-generation.ts';

const CLIENTS = 4;
/** Of the adapters that several may open. */
const INSTANCES = 2;
const SNAPSHOT_EVERY_MS = 1_500;
/** How often an instance may be closed and opened again, and how likely it is then. */
const REOPEN_EVERY_MS = 1_000;
const REOPEN_SHARE = 0.3;
const OPEN_AGAIN_MS = 20;

const [rigText = '', seed = '', name = '', noteFile = '', home = ''] = process.argv.slice(2);
const rig = JSON.parse(rigText) as StormRig;
const random = seededRandom(Number(seed));
const note = noteInto(noteFile);
let ending = false;
// Nobody is there any more who could tell it to end.
process.on('disconnect', () => process.exit());

const makeOne = () => makeInstance(rig, ({ record, message }) => note('problem', `${record}: ${message}`));
const instances: Storage[] = [];
const readers: StormReader[] = [];
do {
  const instance = await makeOne();
  await openAtLast(instance);
  instances.push(instance);
} while (instances[0]?.supports.sharedByProcesses === true && instances.length < INSTANCES);
if (instances[0]?.supports.remote === true) {
  const reader = new StormReader(await makeOne(), join(rig.folder, `journal-${name}`));
  await openAtLast(reader.storage);
  readers.push(reader);
}

/** What happens to whole instances, one thing at a time. */
let turns = Promise.resolve();
const reopening = setInterval(() => {
  if (random() < REOPEN_SHARE) turns = turns.then(reopen);
}, REOPEN_EVERY_MS);
const snapshots = setInterval(() => void lookAtAll(), SNAPSHOT_EVERY_MS);
process.on('message', (told: 'end' | 'switch') => {
  if (told === 'end') ending = true;
  else turns = turns.then(switchOver);
});
process.send?.('writing');

const clients = Array.from(
  { length: CLIENTS },
  (_, i) =>
    new StormClient({
      instances,
      readers,
      writer: `${name}-${i}`,
      home: Number(home),
      random: seededRandom(Number(seed) + 1 + i),
      note,
      isEnding: () => ending,
    }),
);
await Promise.all(clients.map((client) => client.run()));
clearInterval(snapshots);
clearInterval(reopening);
await turns;
await Promise.all([...instances, ...readers.map(({ storage }) => storage)].map((one) => one.close()));
process.disconnect();

async function switchOver(): Promise<void> {
  try {
    note('switched', await switchGeneration(instances[0] as Storage, random));
  } catch (error) {
    note('problem', `a switch of the generation was rejected: ${messageOf(error)}`);
  }
  process.send?.('switched');
}

async function reopen(): Promise<void> {
  const instance = anyInstance();
  const began = now();
  await instance.close();
  await openAtLast(instance);
  const what = `instance ${instances.indexOf(instance)} of ${name} was closed and opened again`;
  note('fault', what, { began, ended: now() });
}

function anyInstance(): Storage {
  return instances[Math.floor(random() * instances.length)] as Storage;
}

/** A snapshot is whole at any time. */
async function lookAtAll(): Promise<void> {
  const instance = anyInstance();
  const began = now();
  try {
    const records = await recordsOf(instance);
    for (const problem of snapshotProblems(records))
      note('problem', `a snapshot in the midst of it: ${problem}`);
    for (const [log, behind] of gapsOf(records)) note('gap', log, behind);
  } catch (error) {
    if (isCoded(error, 'storage.unreachable') || isCoded(error, 'storage.closed')) return;
    note('snapshot ended', messageOf(error), { began, ended: now() });
  }
}

/** A server may be away; what the process before has held may not be free yet. */
async function openAtLast(instance: Storage): Promise<void> {
  for (;;) {
    try {
      return await instance.open();
    } catch (error) {
      if (!isCoded(error, 'storage.unreachable') && !isCoded(error, 'storage.locked')) throw error;
      await new Promise((resolve) => setTimeout(resolve, OPEN_AGAIN_MS));
    }
  }
}
