/** What the tests take of the machine, and how to get what is not there. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { findPrograms } from '../runtime/storage/testing/servers/programs.ts';
import { findChromium } from './find-chromium.ts';
import { findOnPath } from './find-program.ts';

export interface Need {
  /** As it stands in a sentence. */
  what: string;
  /** Debian's packages. */
  packages: string[];
  isHere(): boolean;
  /** What cannot be tested without. */
  without: string;
  /** Ubuntu's package of that name is a stub for a snap, which does not run in a container. */
  isSnapOnUbuntu?: boolean;
}

export const CHROMIUM: Need = {
  what: 'Chromium or Chrome (or CHROMIUM_PATH set to its executable)',
  packages: ['chromium'],
  isHere: () => findChromium() !== undefined,
  without: 'the end-to-end tests fail',
  isSnapOnUbuntu: true,
};

export const NEEDS: Need[] = [
  CHROMIUM,
  {
    what: 'redis-server',
    packages: ['redis-server'],
    isHere: () => findPrograms('redis') !== undefined,
    without: 'the tests of the Redis storage are skipped',
  },
  {
    what: 'the server of PostgreSQL',
    packages: ['postgresql'],
    isHere: () => findPrograms('postgres') !== undefined,
    without: 'the tests of the PostgreSQL storage are skipped',
  },
  {
    what: 'openssl',
    packages: ['openssl'],
    isHere: () => findOnPath('openssl') !== undefined,
    without: 'the tests of TLS fail',
  },
  {
    what: 'a C compiler (cc)',
    packages: ['gcc', 'libc6-dev'],
    isHere: () => findOnPath('cc') !== undefined,
    without: 'the tests of power cuts are skipped',
  },
  {
    what: 'strace',
    packages: ['strace'],
    isHere: () => process.platform !== 'linux' || findOnPath('strace') !== undefined,
    without: 'the tests of failing system calls are skipped',
  },
  ...['zsh', 'fish', 'tcsh'].map(loginShell),
];

/** People have others than those that every system has; what they say of their search path is read in the words of each. */
function loginShell(name: string): Need {
  return {
    what: name,
    packages: [name],
    isHere: () => process.platform === 'win32' || findOnPath(name) !== undefined,
    without: 'it is not tried as a login shell',
  };
}

/** The machine, as far as installing is concerned. */
export interface Machine {
  distribution: 'debian' | 'ubuntu' | 'other';
  isRoot: boolean;
  /** Installs packages, without starting what they bring. */
  install(packages: string[]): void;
}

/** Installs the packages of all needs that are not there, where that is possible; answers those still missing. */
export function provide(needs: Need[], machine: Machine, say: (line: string) => void): Need[] {
  const missing = needs.filter((need) => !need.isHere());
  const installable = missing.filter(
    ({ isSnapOnUbuntu }) => machine.distribution === 'debian' || isSnapOnUbuntu !== true,
  );
  if (installable.length === 0 || machine.distribution === 'other' || !machine.isRoot) return missing;
  const packages = installable.flatMap((need) => need.packages);
  say(`Installing what the tests need and is not here: ${packages.join(', ')}.`);
  machine.install(packages);
  return missing.filter((need) => !need.isHere());
}

/** One sentence for what is missing. */
export function sayMissing({ what, packages, without }: Need): string {
  return `There is no ${what} here, and ${without}. On Debian: apt install ${packages.join(' ')}`;
}

/** Keeps packages from starting their services while they are installed; Debian asks it (`man policy-rc.d`). */
const START_POLICY = '/usr/sbin/policy-rc.d';
/** Exit code 101: what was asked for is forbidden. */
const START_NOTHING = '#!/bin/sh\nexit 101\n';
/** The services of the packages above; the tests start servers of their own, on ports of their own. */
const SERVICES = ['redis-server.service', 'postgresql.service'];

export function thisMachine(): Machine {
  return { distribution: distribution(), isRoot: process.getuid?.() === 0, install };
}

function distribution(): Machine['distribution'] {
  if (!existsSync('/etc/debian_version')) return 'other';
  return /^ID=ubuntu$/m.test(readFileSync('/etc/os-release', 'utf8')) ? 'ubuntu' : 'debian';
}

function install(packages: string[]): void {
  const ownPolicy = !existsSync(START_POLICY);
  if (ownPolicy) writeFileSync(START_POLICY, START_NOTHING, { mode: 0o755 });
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    for (const step of [['update'], ['install', '-y', '--no-install-recommends', ...packages]]) {
      spawnSync('apt-get', ['-q', ...step], { stdio: 'inherit', env });
    }
  } finally {
    if (ownPolicy) rmSync(START_POLICY, { force: true });
  }
  // Not at the next start of the machine either, where a systemd would do that.
  const services = SERVICES.filter((service) => packages.some((name) => service === `${name}.service`));
  if (existsSync('/run/systemd/system') && services.length > 0) {
    spawnSync('systemctl', ['disable', ...services], { stdio: 'inherit' });
  }
}
