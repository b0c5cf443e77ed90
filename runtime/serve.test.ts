import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';

const STOP_GRACE_MS = 15_000;

let dataDir: string;
let child: ChildProcessByStdio<null, Readable, Readable>;
let origin: string;
let headers: Record<string, string>;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'smalltalk-serve-'));
  const { PATH = '', HOME = '' } = process.env;
  child = spawn(process.execPath, [join(import.meta.dirname, 'headless.ts')], {
    env: { PATH, HOME, DATA_DIR: dataDir, APP_PORT: '0', HEALTH_PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const url = new URL(line.slice(line.indexOf('http')));
  origin = url.origin;
  headers = {
    authorization: `Bearer ${url.searchParams.get('token')}`,
    'content-type': 'application/json',
  };
});

afterEach(async () => {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await rm(dataDir, { recursive: true });
});

/** Asks it to stop; resolves with how it ended. */
async function stopped(): Promise<{ code: number | null; ms: number }> {
  const startedAt = performance.now();
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const [code] = await exited;
  return { code, ms: performance.now() - startedAt };
}

test('goes on, and stops in order, when nobody reads its log any more', async () => {
  child.stdout.destroy();
  child.stderr.destroy();
  expect((await fetch(`${origin}/api/sessions`, { headers })).status).toBe(200);
  expect(await stopped()).toMatchObject({ code: 0 });
});

test('stops in order within the grace, with an agent that hangs and a stream that is open', async () => {
  child.stderr.resume();
  const stream = await fetch(`${origin}/api/events/stream?topics=session.message.delta`, { headers });
  const created = await fetch(`${origin}/api/sessions`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ message: '/hang' }),
  });
  expect(created.status).toBe(201);
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of stream.body as ReadableStream<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes('"text":"on."')) break;
  }
  const open = await fetch(`${origin}/api/events/stream`, { headers });
  const rest = open.text();
  const { code, ms } = await stopped();
  expect(code).toBe(0);
  expect(ms).toBeLessThan(STOP_GRACE_MS);
  expect(await rest, 'the stream ends in order').toContain('runtime.stopping');
}, 30_000);
