import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const PEERS = join(import.meta.dirname, '..', 'peers');

/**
 * Installs what is compared with, in the versions of its own lock file, unless it is there. Resolves with the reason when it
 * cannot be had (offline, say): the benchmark then goes on without it.
 */
export async function installPeers(): Promise<string | undefined> {
  if (await isInstalled()) return undefined;
  process.stderr.write('Installing what is compared with (bench/peers) …\n');
  try {
    await promisify(execFile)('npm', ['ci', '--ignore-scripts', '--prefix', PEERS], { cwd: PEERS });
    return undefined;
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    const reason = stderr.trim().split('\n')[0] || (error as Error).message;
    return `all peers: \`npm ci --prefix bench/peers\` failed (${reason}).`;
  }
}

/** True when what the lock file names is what npm has put there. */
async function isInstalled(): Promise<boolean> {
  const packagesIn = async (file: string): Promise<Record<string, unknown>> => {
    const { packages } = JSON.parse(await readFile(join(PEERS, file), 'utf8')) as {
      packages: Record<string, { version?: string }>;
    };
    return Object.fromEntries(
      Object.entries(packages)
        .filter(([path]) => path !== '')
        .map(([path, { version }]) => [path, version]),
    );
  };
  try {
    const [wanted, found] = await Promise.all([
      packagesIn('package-lock.json'),
      packagesIn(join('node_modules', '.package-lock.json')),
    ]);
    return (
      Object.entries(found).length > 0 &&
      Object.entries(found).every(([path, version]) => wanted[path] === version)
    );
  } catch {
    return false;
  }
}
