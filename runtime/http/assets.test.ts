import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Application, createApplication, problemOf, request } from './application.fixture.ts';
import { type Assets, createAssets } from './assets.ts';

const SCRIPT = `console.log(${JSON.stringify('x'.repeat(5000))})`;

let parent: string;
let folder: string;
let assets: Assets;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'http-assets-'));
  folder = join(parent, 'renderer');
  await mkdir(join(folder, 'assets'), { recursive: true });
  await writeFile(join(folder, 'index.html'), '<!doctype html>');
  await writeFile(join(folder, 'icon.svg'), '<svg/>');
  await writeFile(join(folder, 'assets', 'index-DfY5k2_a.js'), SCRIPT);
  await writeFile(join(folder, 'assets', 'Größe mit Leerzeichen.txt'), 'ü');
  await writeFile(join(parent, 'secret.txt'), 'secret');
  await symlink(join(parent, 'secret.txt'), join(folder, 'link.txt'));
  assets = createAssets({ folder, compression: true });
});
afterEach(() => rm(parent, { recursive: true }));

async function get(path: string, headers: Record<string, string> = {}, method = 'GET') {
  const response = await assets(request(method, path, { headers }));
  if (response === undefined) throw new Error(`There is no ${path}`);
  return response;
}

describe('createAssets', () => {
  it('serves files with their type; hashed ones for ever, others checked each time', async () => {
    const script = await get('/assets/index-DfY5k2_a.js');
    expect(await script.text()).toBe(SCRIPT);
    expect(script.headers.get('content-type')).toMatch(/^text\/javascript/);
    expect(script.headers.get('cache-control')).toContain('immutable');
    const index = await get('/');
    expect(await index.text()).toBe('<!doctype html>');
    expect(index.headers.get('content-type')).toMatch(/^text\/html/);
    expect(index.headers.get('cache-control')).toBe('no-cache');
    expect((await get('/icon.svg')).headers.get('content-type')).toMatch(/^image\/svg\+xml/);
    expect(await (await get('/assets/Gr%C3%B6%C3%9Fe%20mit%20Leerzeichen.txt')).text()).toBe('ü');
  });

  it('carries the policy that keeps scripts out, wherever it is served', async () => {
    const policy = (await get('/')).headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'; script-src 'self';");
    expect(policy).not.toMatch(/script-src[^;]*unsafe/);
    // Pictures and sounds of an agent are in its answer; nothing is loaded from where it says.
    expect(policy).toMatch(/img-src 'self' data:; media-src data:;/);
  });

  it.each(['/sessions/abc', '/agents', '/sessions/archive.2024'])(
    'gives a browser the console at %s',
    async (path) => {
      expect(await (await get(path, { accept: 'text/html' })).text()).toBe('<!doctype html>');
    },
  );

  it.each([
    '/assets/gone-12345678.js',
    '/favicon.ico',
    '/../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/assets/..%2f..%2fsecret.txt',
    '/assets/%252e%252e/secret.txt',
    '/..%5csecret.txt',
    '/link.txt',
    '/icon.svg%00.txt',
    '/%ff.txt',
    '//etc/passwd.txt',
  ])('has nothing at %s', async (path) => {
    expect(await assets(request('GET', path))).toBeUndefined();
  });

  it('never lets a path lead to anything but a file of the folder or its index', async () => {
    for (const path of [
      '/../../../../etc/passwd',
      '/%2e%2e%2f%2e%2e%2fetc%2fpasswd',
      '//etc/passwd',
      '/assets/../../secret',
    ]) {
      const response = await assets(request('GET', path));
      if (response !== undefined) expect(await response.text()).toBe('<!doctype html>');
    }
  });

  it('compresses what is worth it for whom takes it', async () => {
    const path = '/assets/index-DfY5k2_a.js';
    const brotli = await get(path, { 'accept-encoding': 'gzip, deflate, br' });
    expect(brotli.headers.get('content-encoding')).toBe('br');
    expect(brotliDecompressSync(await brotli.bytes()).toString()).toBe(SCRIPT);
    const gzip = await get(path, { 'accept-encoding': 'gzip, br;q=0' });
    expect(gzip.headers.get('content-encoding')).toBe('gzip');
    expect(gunzipSync(await gzip.bytes()).toString()).toBe(SCRIPT);
    expect(Number(gzip.headers.get('content-length'))).toBeLessThan(SCRIPT.length);
    expect((await get('/', { 'accept-encoding': 'br' })).headers.get('content-encoding')).toBeNull();
    const plain = await createAssets({ folder })(
      request('GET', path, { headers: { 'accept-encoding': 'br' } }),
    );
    expect(plain?.headers.get('content-encoding')).toBeNull();
  });

  it('answers what has not changed with 304, and HEAD with no body', async () => {
    const etag = (await get('/')).headers.get('etag') ?? '';
    const unchanged = await get('/', { 'if-none-match': etag });
    expect([unchanged.status, await unchanged.text()]).toEqual([304, '']);
    const head = await get('/', {}, 'HEAD');
    expect([head.headers.get('content-length'), await head.text()]).toEqual(['15', '']);
  });

  it('serves a new build without a restart', async () => {
    await get('/');
    await writeFile(join(folder, 'index.html'), '<p>new</p>');
    await writeFile(join(folder, 'assets', 'index-ABCDEFGH.js'), 'new');
    await utimes(join(folder, 'index.html'), 1, 1);
    expect(await (await get('/')).text()).toBe('<p>new</p>');
    expect(await (await get('/assets/index-ABCDEFGH.js')).text()).toBe('new');
  });

  it('only reads', async () => {
    expect(await assets(request('POST', '/'))).toBeUndefined();
  });
});

describe('the application', () => {
  let app: Application;
  afterEach(() => app.stop());

  it('serves the console beside the API', async () => {
    app = await createApplication({ assets });
    expect(await (await app.fetch(request('GET', '/sessions'))).text()).toBe('<!doctype html>');
    const script = await app.fetch(request('GET', '/assets/index-DfY5k2_a.js'));
    expect(script.headers.get('cache-control')).toContain('immutable');
    expect((await problemOf(await app.fetch(request('GET', '/assets/x.js')))).code).toBe('route.not_found');
    expect((await problemOf(await app.fetch(request('GET', '/api/x')))).code).toBe('route.not_found');
  });

  it('says in words that the console has not been built, and serves the API all the same', async () => {
    app = await createApplication({ assets: createAssets({ folder: join(parent, 'nothing') }) });
    const problem = await problemOf(await app.fetch(request('GET', '/')));
    expect(problem).toMatchObject({ status: 500, code: 'assets.missing' });
    expect(problem.detail).toContain('npm run build');
    expect((await app.fetch(request('GET', '/api/status'))).status).toBe(200);
  });
});
