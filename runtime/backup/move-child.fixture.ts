/**
 * The process that `move-crash.test.ts` kills: moves the data and kills itself at the given step, or goes on to the end.
 * Started as `move-child.fixture.ts <data folder> <type of the target> <step>`; says on stdout to which steps it has come.
 */
import { writeSync } from 'node:fs';
import type { StorageKind } from '../contract/index.ts';
import { createMoveRig } from './move.fixture.ts';

const [dataDir = '', type = '', killedAt = ''] = process.argv.slice(2);
const rig = await createMoveRig({
  dataDir,
  onStep(name) {
    writeSync(1, `${name}\n`);
    if (name === killedAt) process.kill(process.pid, 'SIGKILL');
  },
});
const job = await rig.move({ type: type as StorageKind });
writeSync(1, `${job.state}\n`);
// Until it is killed: an orderly end is not what is tested here.
setInterval(() => undefined, 1000);
