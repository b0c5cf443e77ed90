/** Electron's binary: it is no part of the package, but downloaded on first use. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { homedir } from 'node:os';
import { join } from 'node:path';

const PACKAGE = join(import.meta.dirname, '..', 'node_modules', 'electron');

/** How long to wait for the first answer of the download server before the machine counts as offline. */
const REACH_MS = 4_000;
/** No download of about 120 MB that is worth waiting for takes longer. */
const DOWNLOAD_MS = 10 * 60_000;

/** The path of Electron's executable when it is here in full; the same tests as Electron's own installer makes. */
export function installedElectron(folder = PACKAGE): string | undefined {
  const read = (...file: string[]) => {
    try {
      return readFileSync(join(folder, ...file), 'utf8');
    } catch {
      return undefined;
    }
  };
  const executable = read('path.txt');
  const override = process.env.ELECTRON_OVERRIDE_DIST_PATH;
  if (override) {
    const overridden = join(override, executable ?? 'electron');
    return existsSync(overridden) ? overridden : undefined;
  }
  if (executable === undefined) return undefined;
  if (read('dist', 'version')?.trim().replace(/^v/, '') !== electronVersion(folder)) return undefined;
  return existsSync(join(folder, 'dist', executable)) ? join(folder, 'dist', executable) : undefined;
}

/**
 * Fetches the binary, if that is possible: from the download cache, or from the network when the server can be reached
 * within seconds. Resolves to the reason in words when it did not work; never throws, and never prints a stack.
 */
export async function downloadElectron(): Promise<string | undefined> {
  const { HTTP_PROXY, HTTPS_PROXY, http_proxy, https_proxy } = process.env;
  const hasProxy = [HTTP_PROXY, HTTPS_PROXY, http_proxy, https_proxy].some(Boolean);
  if (hasProxy) http.setGlobalProxyFromEnv();
  if (!isCached()) {
    const unreachable = await whyUnreachable(archiveUrl());
    if (unreachable !== undefined) return unreachable;
  }
  console.log(`Downloading Electron ${electronVersion()}, once (about 120 MB) …`);
  const installer = spawn(process.execPath, [join(PACKAGE, 'install.js')], {
    stdio: ['ignore', 'inherit', 'pipe'],
    env: hasProxy ? { ...process.env, NODE_USE_ENV_PROXY: '1' } : process.env,
    timeout: DOWNLOAD_MS,
  });
  let complaint = '';
  installer.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  const failed = await new Promise<boolean>((resolve) => {
    installer.on('error', () => resolve(true));
    installer.on('close', (code) => resolve(code !== 0));
  });
  if (!failed && installedElectron() !== undefined) return undefined;
  return `the download failed (${complaint.trim().split('\n')[0] || 'it did not end in time'})`;
}

function electronVersion(folder = PACKAGE): string {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version;
}

function archiveName(): string {
  return `electron-v${electronVersion()}-${process.platform}-${process.arch}.zip`;
}

/** Where Electron's installer downloads from: GitHub, or the mirror that it is told. */
function archiveUrl(): string {
  const mirror =
    process.env.npm_config_electron_mirror ||
    process.env.ELECTRON_MIRROR ||
    'https://github.com/electron/electron/releases/download/';
  return `${mirror}v${electronVersion()}/${archiveName()}`;
}

/** True when an earlier download lies in the installer's cache: `<cache>/<hash of the address>/<archive>`. */
function isCached(): boolean {
  const { electron_config_cache, XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  const byPlatform: Partial<Record<NodeJS.Platform, string>> = {
    darwin: join(homedir(), 'Library', 'Caches', 'electron'),
    win32: join(LOCALAPPDATA || join(homedir(), 'AppData', 'Local'), 'electron', 'Cache'),
  };
  const cache =
    electron_config_cache ||
    byPlatform[process.platform] ||
    join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'electron');
  try {
    return readdirSync(cache).some((folder) => existsSync(join(cache, folder, archiveName())));
  } catch {
    return false;
  }
}

async function whyUnreachable(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(REACH_MS) });
    return response.ok ? undefined : `${new URL(url).host} answered ${response.status}`;
  } catch {
    return `${new URL(url).host} cannot be reached`;
  }
}
