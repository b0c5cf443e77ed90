import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Part of the template's name: a higher number when what is below changes. */
const TEMPLATE_VERSION = 1;

/** The password of the user `guarded`, the only one that needs one. */
export const GUARDED_PASSWORD = 'right horse';

/** `guarded` is asked for its password; all others are trusted: they come over loopback only. */
const ACCESS = `host all guarded 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
`;

/**
 * One statement a line, as PostgreSQL's single-user mode takes them. `smalltalk` owns the database `smalltalk` and is
 * nothing more; `guarded` may do the same, with a password; `powerless` may connect and not create anything.
 */
const SETUP = `CREATE ROLE smalltalk LOGIN;
SET password_encryption = 'scram-sha-256';
CREATE ROLE guarded LOGIN PASSWORD '${GUARDED_PASSWORD}' IN ROLE smalltalk;
CREATE ROLE powerless LOGIN;
ALTER DATABASE postgres RENAME TO smalltalk;
ALTER DATABASE smalltalk OWNER TO smalltalk;
`;
const SCHEMA_SETUP = `REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT CREATE ON SCHEMA public TO smalltalk;
`;

export interface Owner {
  uid: number;
  gid: number;
}

/** The user that PostgreSQL runs as, which must not be root: Debian's `postgres` or `nobody`; undefined for ourselves. */
export function postgresOwner(): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const user of ['postgres', 'nobody']) {
    try {
      const id = (flag: string) =>
        Number(execFileSync('id', [flag, user], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
      return { uid: id('-u'), gid: id('-g') };
    } catch {
      // There is no such user here.
    }
  }
  throw new Error('PostgreSQL does not run as root, and there is neither a user “postgres” nor “nobody”.');
}

/**
 * The folder of a database that is set up and was never started: made once for each version and machine (it takes
 * seconds), and to be copied for every server.
 */
export async function postgresTemplate(programs: string, owner: Owner | undefined): Promise<string> {
  const { stdout } = await run(join(programs, 'postgres'), ['--version']);
  const version = /\d+(\.\d+)*/.exec(stdout)?.[0] ?? 'unknown';
  const uid = owner?.uid ?? process.getuid?.() ?? 0;
  const template = join(tmpdir(), `test-postgres-template-${version}-${TEMPLATE_VERSION}-${uid}`);
  if (await isOurs(template, uid)) return template;
  const folder = await mkdtemp(join(tmpdir(), 'test-postgres-template-new-'));
  try {
    if (owner !== undefined) await chown(folder, owner.uid, owner.gid);
    await makeTemplate(programs, folder, Number.parseInt(version, 10), owner);
    // Whoever comes second has made the same, and the first one stays: a rename replaces no folder that is not empty.
    await rename(folder, template).catch(async (error: unknown) => {
      if (!(await isOurs(template, uid))) throw error;
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return template;
}

async function makeTemplate(
  programs: string,
  folder: string,
  version: number,
  owner: Owner | undefined,
): Promise<void> {
  const options = ['--encoding=UTF8', '--locale=C', '--username=postgres', '--auth=trust', '--no-sync'];
  // The order of a dictionary: whoever relies on the order of bytes without asking for it is found out.
  if (version >= 15) options.push('--locale-provider=icu', '--icu-locale=en-US');
  await run(join(programs, 'initdb'), ['-D', folder, ...options], { ...owner, cwd: folder });
  await writeFile(join(folder, 'pg_hba.conf'), ACCESS);
  await runSql(programs, folder, 'template1', SETUP, owner);
  await runSql(programs, folder, 'smalltalk', SCHEMA_SETUP, owner);
}

/** Carries out statements without a server, in PostgreSQL's single-user mode. */
async function runSql(
  programs: string,
  folder: string,
  database: string,
  statements: string,
  owner: Owner | undefined,
): Promise<void> {
  // -j would be needed for statements of several lines; exit_on_error makes a mistake in them show.
  const args = ['--single', '-D', folder, '-c', 'exit_on_error=true', database];
  const child = spawn(join(programs, 'postgres'), args, { ...owner, cwd: folder, stdio: 'pipe' });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  child.stdin.end(statements);
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`PostgreSQL's single-user mode ended with ${code}:\n${output}`);
}

async function isOurs(folder: string, uid: number): Promise<boolean> {
  const found = await stat(folder).catch(() => undefined);
  if (found === undefined) return false;
  if (found.uid !== uid) throw new Error(`${folder} belongs to another user; remove it.`);
  return true;
}
