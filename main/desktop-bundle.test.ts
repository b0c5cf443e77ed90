/**
 * Builds the desktop bundle and runs it as it is, with everything in it that is ours: only Electron itself is played by
 * `electron.fixture.ts`, because its binary is not at hand everywhere.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { build } from 'vite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { PROGRAMS } from '../runtime/base/program.ts';
import type { Command, Look } from './electron.fixture.ts';

const ROOT = join(import.meta.dirname, '..');
/** Inside node_modules, so that what is not bundled (better-sqlite3) is found from there as it is in the app. */
const OUTPUT = join(ROOT, 'node_modules', '.cache', `desktop-bundle-${process.pid}`);

beforeAll(async () => {
  await build({
    configFile: join(ROOT, 'vite.config.ts'),
    mode: 'desktop',
    logLevel: 'error',
    build: { outDir: OUTPUT },
  });
  writeFileSync(join(OUTPUT, 'package.json'), '{"type":"module"}');
}, 60_000);
afterAll(() => rmSync(OUTPUT, { recursive: true, force: true }));

/** Every file that an entry imports, and the packages outside of the bundle that it needs. */
function importsOf(entry: string): { files: Set<string>; packages: Set<string> } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string) => {
    if (files.has(file)) return;
    files.add(file);
    const code = readFileSync(join(OUTPUT, file), 'utf8');
    for (const [, specifier] of code.matchAll(/(?:^import|\bfrom|\bimport\()\s*["']([^"'\n]+)["']/gm)) {
      if (specifier === undefined || specifier.startsWith('node:')) continue;
      if (specifier.startsWith('.')) visit(join(dirname(file), specifier));
      else packages.add(specifier);
    }
  };
  visit(entry);
  return { files, packages };
}

describe('the files of the bundle', () => {
  it('are the main entry and every separate program', () => {
    expect(existsSync(join(OUTPUT, 'index.js'))).toBe(true);
    expect(readdirSync(join(OUTPUT, 'programs')).sort()).toEqual(
      Object.keys(PROGRAMS)
        .map((name) => `${name}.js`)
        .sort(),
    );
  });

  it.each(Object.keys(PROGRAMS))('let %s start without the main process in it', (name) => {
    const { files, packages } = importsOf(join('programs', `${name}.js`));
    expect([...files]).not.toContain('index.js');
    expect([...packages]).not.toContain('electron');
  });
});

type Sent<T extends Command = Command> = T extends Command ? Omit<T, 'id'> : never;
interface Answer {
  status: number;
  headers: Record<string, string>;
  text: string;
}

/** The app in a process of its own. */
class DesktopApp {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  output = '';
  #last = 0;

  constructor(env: Record<string, string>) {
    const fixture = join(import.meta.dirname, 'electron.fixture.ts');
    this.child = spawn(process.execPath, ['--import', fixture, join(OUTPUT, 'index.js')], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { PATH: process.env.PATH ?? '', HEALTH_PORT: '0', ...env },
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
    this.exited = once(this.child, 'close').then(([code]) => code);
  }

  send<T>(command: Sent): Promise<T> {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      const onMessage = (message: { id: number; result?: T; error?: string }) => {
        if (message.id !== id) return;
        this.child.off('message', onMessage);
        if (message.error === undefined) resolve(message.result as T);
        else reject(new Error(message.error));
      };
      this.child.on('message', onMessage);
      this.child.send({ id, ...command }, (error) => {
        if (error) reject(error);
      });
    });
  }

  fetch(path: string, options: { method?: string; accept?: string; body?: object } = {}): Promise<Answer> {
    const { method = 'GET', accept = '*/*', body } = options;
    return this.send<Answer>({
      do: 'fetch',
      url: `app://console${path}`,
      method,
      accept,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  page(path: string): Promise<Answer> {
    return this.fetch(path, { accept: 'text/html' });
  }

  look(): Promise<Look> {
    return this.send<Look>({ do: 'look' });
  }

  /** Resolves when the app has set itself up, whether or not the runtime has started. */
  async ready(): Promise<void> {
    await vi.waitFor(async () => expect((await this.look()).windows).toHaveLength(1), { timeout: 15_000 });
  }

  quit(): Promise<number | null> {
    // The process may be gone before it can answer.
    this.send({ do: 'emit', event: 'quit' }).catch(() => undefined);
    return this.exited;
  }
}

describe('the app', () => {
  let folder: string;
  let running: DesktopApp | undefined;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'desktop-bundle-'));
    mkdirSync(join(folder, 'app', 'dist', 'renderer'), { recursive: true });
    writeFileSync(join(folder, 'app', 'dist', 'renderer', 'index.html'), '<title>the console</title>');
  });
  afterEach(async () => {
    running?.child.kill('SIGKILL');
    await running?.exited;
    running = undefined;
    rmSync(folder, { recursive: true, force: true });
  });

  const start = async (env: Record<string, string> = {}) => {
    const app = new DesktopApp({
      USER_DATA: join(folder, 'user'),
      APP_PATH: join(folder, 'app'),
      ...env,
    });
    running = app;
    await app.ready();
    return app;
  };
  const replyOf = async (app: DesktopApp, id: string) => {
    const { text } = await app.fetch(`/api/sessions/${id}`);
    const { messages } = JSON.parse(text) as {
      messages: { role: string; text: string; complete: boolean }[];
    };
    return messages.find(({ role, complete }) => role === 'agent' && complete)?.text;
  };

  it.each([
    ['encrypts secrets by the keychain of the system', {}, 'system', false],
    ['keeps secrets in a file where there is no keychain', { NO_KEYCHAIN: '1' }, 'file', true],
  ])('%s', async (_, env, protection, isReadable) => {
    const app = await start(env);
    const kept = await app.fetch('/api/secrets/GITHUB_TOKEN', { method: 'PUT', body: { value: 'abc-123' } });
    expect(kept.status).toBe(200);
    expect(JSON.parse((await app.fetch('/api/secrets')).text)).toMatchObject({ protection });
    const file = readFileSync(join(folder, 'user', 'data', 'secrets.json'), 'utf8');
    expect([file.includes('GITHUB_TOKEN'), file.includes('abc-123')]).toEqual([true, isReadable]);
  });

  it('talks to an agent, quits in order, and comes back with the same conversation', async () => {
    let app = await start();
    expect((await app.page('/')).text).toContain('the console');
    const created = await app.fetch('/api/sessions', { method: 'POST', body: { message: 'hello bundle' } });
    expect(created.status, created.text).toBe(201);
    const { id } = JSON.parse(created.text) as { id: string };
    await vi.waitFor(async () => expect(await replyOf(app, id)).toContain('hello bundle'), {
      timeout: 10_000,
    });
    expect(app.output).toContain('SmallTalk Console is open.');
    expect(await app.quit()).toBe(0);
    const saved = JSON.parse(readFileSync(join(folder, 'user', 'window.json'), 'utf8'));
    expect(saved).toMatchObject({ x: 10, y: 20, width: 1000, height: 700 });

    app = await start();
    expect(await replyOf(app, id)).toContain('hello bundle');
    const [window] = (await app.look()).windows;
    expect(window?.options).toMatchObject({ x: 10, y: 20, width: 1000, height: 700 });
    expect(readFileSync(join(folder, 'user', 'logs', 'console.log'), 'utf8')).toContain(
      'The runtime has started',
    );
    expect(await app.quit()).toBe(0);
  });

  it('has everything locked down', async () => {
    const app = await start();
    const { schemes, sandboxed, windows, menu } = await app.look();
    expect(sandboxed).toBe(true);
    expect(schemes).toEqual([
      { scheme: 'app', privileges: { standard: true, secure: true, supportFetchAPI: true, stream: true } },
    ]);
    expect(windows[0]?.options.webPreferences).toMatchObject({
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      webviewTag: false,
    });
    expect(windows[0]?.options.webPreferences).not.toHaveProperty('preload');
    expect(menu.length).toBeGreaterThan(3);

    expect(await app.send({ do: 'navigate', url: 'app://console/agents' })).toBe('allowed');
    expect(await app.send({ do: 'navigate', url: 'http://evil.example/' })).toBe('denied');
    expect(await app.send({ do: 'navigate', url: 'file:///etc/passwd' })).toBe('denied');
    expect(await app.send({ do: 'open', url: 'https://agentclientprotocol.com/' })).toBe('deny');
    expect((await app.look()).opened).toEqual(['https://agentclientprotocol.com/']);
    const permit = (permission: string, url = 'app://console/') =>
      app.send({ do: 'permit', permission, url });
    expect(await permit('media')).toBe(false);
    expect(await permit('clipboard-sanitized-write')).toBe(true);
    expect(await permit('clipboard-sanitized-write', 'https://evil.example/')).toBe(false);

    const page = await app.page('/');
    expect(page.headers['content-security-policy']).toContain("script-src 'self'");
    expect((await app.fetch('/api/status')).headers['content-security-policy']).toContain(
      "script-src 'self'",
    );
  });

  it('says in words why the runtime did not start, and starts when that is put right', async () => {
    const dataDir = join(folder, 'data');
    writeFileSync(dataDir, 'a file where the folder should be');
    const app = await start({ DATA_DIR: dataDir });
    await vi.waitFor(async () => expect((await app.look()).windows[0]?.loads).toContain('reload'), {
      timeout: 10_000,
    });
    const failure = await app.page('/sessions');
    expect(failure.status).toBe(503);
    expect(failure.text).toContain('did not start');
    expect(failure.text).toContain(dataDir);
    expect((await app.fetch('/api/sessions')).status).toBe(503);

    rmSync(dataDir);
    expect((await app.fetch('/start/try-again', { method: 'POST' })).headers.location).toBe('/');
    expect((await app.page('/')).text).toContain('the console');
    expect((await app.fetch('/api/sessions')).status).toBe(200);
    expect(await app.quit()).toBe(0);
  });

  it('names a setting that is not valid', async () => {
    const app = await start({ LOG_LEVEL: 'chatty' });
    await vi.waitFor(async () => expect((await app.page('/')).text).toContain('LOG_LEVEL'), {
      timeout: 10_000,
    });
  });

  it('leaves the field to the instance that is there already', async () => {
    const second = new DesktopApp({ USER_DATA: join(folder, 'user'), SECOND_INSTANCE: '1' });
    running = second;
    expect(await second.exited).toBe(0);
    expect(existsSync(join(folder, 'user'))).toBe(false);
  });
});
