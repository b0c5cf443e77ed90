import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../base/clock.ts';
import { createSecretStore, type SecretProtection } from './secret-store.ts';

const NOW = Date.UTC(2026, 0, 1);
let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'smalltalk-secrets-'));
  file = join(folder, 'data', 'secrets.json');
});
afterEach(() => rmSync(folder, { recursive: true }));

const openStore = (protection?: SecretProtection) =>
  createSecretStore({
    file,
    clock: new VirtualClock(NOW),
    ...(protection === undefined ? {} : { protection }),
  });
const damage = (text: string) => {
  mkdirSync(join(folder, 'data'), { recursive: true });
  writeFileSync(file, text, { mode: 0o600 });
};
/** A keychain that can only read what it wrote itself. */
const keychain = (key: string): SecretProtection => ({
  encrypt: (text) => Buffer.from(`${key}:${[...text].reverse().join('')}`),
  decrypt(encrypted) {
    const [by, text = ''] = encrypted.toString().split(':');
    if (by !== key) throw new Error('the key is another one');
    return [...text].reverse().join('');
  },
});

it('keeps what it is told, for the next start too', async () => {
  const store = openStore();
  expect(await store.list()).toEqual([]);
  expect(await store.get('GITHUB_TOKEN')).toBeUndefined();
  expect(existsSync(join(folder, 'data')), 'nothing is made before there is a secret').toBe(false);

  expect(await store.set('GITHUB_TOKEN', 'first')).toEqual({ name: 'GITHUB_TOKEN', updatedAt: NOW });
  await store.set('__proto__', 'not a prototype');
  await store.set('GITHUB_TOKEN', 'sécond\n"line"');
  await store.set('A_KEY', 'a');
  await store.delete('A_KEY');

  const reopened = openStore();
  expect(await reopened.get('GITHUB_TOKEN')).toBe('sécond\n"line"');
  expect(await reopened.get('__proto__')).toBe('not a prototype');
  expect(await reopened.get('toString')).toBeUndefined();
  expect(await reopened.get('A_KEY')).toBeUndefined();
  expect(await reopened.list()).toEqual([
    { name: 'GITHUB_TOKEN', updatedAt: NOW },
    { name: '__proto__', updatedAt: NOW },
  ]);
  await expect(store.delete('A_KEY')).rejects.toMatchObject({ code: 'secret.not_found' });
});

it('loses none of the changes that are made at once', async () => {
  const store = openStore();
  const names = Array.from({ length: 20 }, (_, index) => `KEY_${index}`);
  await Promise.all(names.map((name) => store.set(name, `value of ${name}`)));
  expect((await store.list()).map(({ name }) => name).sort()).toEqual([...names].sort());
});

describe.skipIf(process.platform === 'win32')('the file', () => {
  it('is for the user alone, as is its folder', async () => {
    await openStore().set('A_KEY', 'a');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'data')).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(folder, 'data')), 'nothing is left beside it').toEqual(['secrets.json']);
  });

  it('is made so when it comes with another mode', async () => {
    await openStore().set('A_KEY', 'a');
    chmodSync(file, 0o644);
    expect(await openStore().get('A_KEY')).toBe('a');
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });
});

describe('a damaged file', () => {
  it.each([
    ['half of it', '{"format":1,"secrets":[{"name":"A_KEY","updatedAt":1,"value":"hush-hush'],
    ['nothing', ''],
    ['something else', '["hush-hush"]'],
    ['a newer format', '{"format":2,"secrets":[]}'],
    ['a wrong entry', '{"format":1,"secrets":[{"name":"A_KEY","value":"hush-hush"}]}'],
  ])('is told and left as it is: %s', async (_, text) => {
    damage(text);
    const store = openStore();
    const calls = await Promise.allSettled([
      store.list(),
      store.get('A_KEY'),
      store.set('B_KEY', 'b'),
      store.delete('A_KEY'),
    ]);
    for (const call of calls) {
      expect(call).toMatchObject({ status: 'rejected', reason: { code: 'secret.unreadable' } });
      expect(String((call as PromiseRejectedResult).reason), 'no secret is shown').not.toContain('hush');
    }
    expect(readFileSync(file, 'utf8')).toBe(text);
  });

  it('does not keep later changes from being made once it is repaired', async () => {
    damage('{');
    const store = openStore();
    await expect(store.set('A_KEY', 'a')).rejects.toMatchObject({ code: 'secret.unreadable' });
    rmSync(file);
    await store.set('A_KEY', 'a');
    expect(await store.get('A_KEY')).toBe('a');
  });
});

it('leaves the file as it was when it cannot be written', async () => {
  await openStore().set('A_KEY', 'a');
  const blocked = createSecretStore({
    file: join(file, 'secrets.json'),
    clock: new VirtualClock(),
  });
  await expect(blocked.set('A_KEY', 'b')).rejects.toMatchObject({ code: 'storage.failed' });
  expect(await openStore().get('A_KEY')).toBe('a');
});

describe('with the keychain of the desktop', () => {
  it('has no value in the file', async () => {
    const store = openStore(keychain('k1'));
    expect(store.protection).toBe('system');
    await store.set('A_KEY', 'hush-hush');
    expect(readFileSync(file, 'utf8')).not.toContain('hush');
    expect(await store.get('A_KEY')).toBe('hush-hush');
  });

  it('reads what was kept without it, and encrypts it when it is set again', async () => {
    await openStore().set('A_KEY', 'hush-hush');
    const store = openStore(keychain('k1'));
    expect(await store.get('A_KEY')).toBe('hush-hush');
    await store.set('A_KEY', 'hush-hush');
    expect(readFileSync(file, 'utf8')).not.toContain('hush');
  });

  it('keeps nothing that the keychain does not encrypt', async () => {
    const locked = () => {
      throw new Error('the keychain is locked');
    };
    const store = openStore({ ...keychain('k1'), encrypt: locked });
    await expect(store.set('A_KEY', 'hush-hush')).rejects.toMatchObject({ code: 'storage.failed' });
    expect(await store.list()).toEqual([]);
  });

  it('says which secret cannot be decrypted, and keeps the others', async () => {
    await openStore(keychain('k1')).set('OLD_KEY', 'o');
    for (const store of [openStore(keychain('k2')), openStore()]) {
      await store.set('NEW_KEY', 'n');
      expect(await store.get('NEW_KEY')).toBe('n');
      await expect(store.get('OLD_KEY')).rejects.toMatchObject({
        code: 'secret.unreadable',
        message: expect.stringContaining('OLD_KEY'),
      });
      expect((await store.list()).map(({ name }) => name)).toEqual(['NEW_KEY', 'OLD_KEY']);
    }
    expect(await openStore(keychain('k1')).get('OLD_KEY')).toBe('o');
  });
});

it('has the old secrets or the new ones when the process is killed while it writes', async () => {
  const writer = `
    import { createSecretStore } from ${JSON.stringify(join(import.meta.dirname, 'secret-store.ts'))};
    const store = createSecretStore({ file: process.argv[1], clock: { now: () => 1 } });
    for (let round = 1; ; round++) {
      await store.set('LONG_KEY', String(round).padStart(30_000, '0'));
      process.stdout.write(round + '\\n');
    }`;
  for (let kill = 0; kill < 5; kill++) {
    const child: ChildProcess = spawn(process.execPath, ['--input-type=module', '-e', writer, file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let told = '';
    await new Promise<void>((resolve, reject) => {
      child.once('exit', () => reject(new Error('the writer ended by itself')));
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        told += text;
        if (told.split('\n').length > 5 + kill) resolve();
      });
    });
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    const acknowledged = Number(told.trimEnd().split('\n').at(-1));
    const kept = Number(await openStore().get('LONG_KEY'));
    expect(kept).toBeGreaterThanOrEqual(acknowledged);
  }
});
