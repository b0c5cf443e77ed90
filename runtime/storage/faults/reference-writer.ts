/**
 * Writes the data that the suites damage, and ends by SIGKILL with the last acknowledgement. Arguments: the rig as JSON and
 * the data folder.
 */
import { KILLED_AFTER, REFERENCE_COMMITS } from './reference-data.ts';
import { openRig } from './rig-storage.ts';

const [rig, dataDir] = process.argv.slice(2) as [string, string];

const first = await openRig(JSON.parse(rig), dataDir);
for (const operations of REFERENCE_COMMITS.slice(0, KILLED_AFTER)) await first.commit(operations);
await first.close();
const second = await openRig(JSON.parse(rig), dataDir);
for (const operations of REFERENCE_COMMITS.slice(KILLED_AFTER)) await second.commit(operations);
process.kill(process.pid, 'SIGKILL');
