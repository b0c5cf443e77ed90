import { describe, expect, it } from 'vitest';
import { showStartFailures } from './start-failure.ts';

const pageLoad = (path = '/') =>
  new Request(`app://console${path}`, { headers: { accept: 'text/html,*/*;q=0.8' } });
const next = async () => new Response('the console');

describe('a start that failed', () => {
  it('is shown in words on every page, with nothing in it taken for markup', async () => {
    const failure = Object.assign(new Error('APP_PORT is "<img src=x>"; a port is allowed'), {
      code: 'settings.invalid',
    });
    const handle = showStartFailures(next, {
      failure: () => failure,
      start: async () => undefined,
      dataDir: '/home/me/data',
    });
    const response = await handle(pageLoad('/sessions/1'));
    expect(response.status).toBe(503);
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    const html = await response.text();
    expect(html).toContain('APP_PORT is &#34;&#60;img src=x&#62;&#34;; a port is allowed');
    expect(html).toContain('/home/me/data · settings.invalid');
  });

  it('leaves everything else to the console', async () => {
    const handle = showStartFailures(next, {
      failure: () => new Error('no'),
      start: async () => undefined,
      dataDir: '/data',
    });
    expect(await (await handle(new Request('app://console/app.js'))).text()).toBe('the console');
  });

  it('goes away when another try succeeds', async () => {
    let failure: Error | undefined = new Error('the disk is full');
    let tries = 0;
    const handle = showStartFailures(next, {
      failure: () => failure,
      start: async () => {
        tries++;
        if (tries === 1) throw failure;
        failure = undefined;
      },
      dataDir: '/data',
    });
    const tryAgain = () => handle(new Request('app://console/start/try-again', { method: 'POST' }));
    expect((await tryAgain()).headers.get('location')).toBe('/');
    expect((await handle(pageLoad())).status).toBe(503);
    expect((await tryAgain()).status).toBe(303);
    expect(await (await handle(pageLoad())).text()).toBe('the console');
  });
});
