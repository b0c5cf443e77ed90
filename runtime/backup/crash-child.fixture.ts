/**
 * The process that `crash.test.ts` kills: makes a backup, or restores one, over real SQLite, and says on stdout which
 * phase it has come to. Started as `crash-child.fixture.ts <data folder> backup`, or with the id of a backup to restore.
 */
import type { Job } from '../contract/index.ts';
import { createRig } from './backup.fixture.ts';

const [dataDir = '', what = ''] = process.argv.slice(2);
const rig = await createRig({ type: 'sqlite', dataDir });
const { run } = rig.jobs;
rig.jobs.run = (request, work) =>
  run(request, (context) =>
    work({
      ...context,
      phase(name, unit, total) {
        process.stdout.write(`${name}\n`);
        context.phase(name, unit, total);
      },
    }),
  );
const job: Promise<Job> =
  what === 'backup' ? rig.backups.create(rig.context) : rig.backups.restore(what, rig.context);
await rig.succeed(job);
process.stdout.write('Done\n');
// Until it is killed: an orderly end is not what is tested here.
setInterval(() => undefined, 1000);
