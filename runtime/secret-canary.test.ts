/** A secret that an agent is given and tells wherever it can: it stays in the file of the secrets. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Agent, AgentTestResult, Session } from './contract/index.ts';
import { createRuntime, type Runtime, readSettings } from './index.ts';

const SECRET = 'cAnArY+7f3/"q=zz\\9181';
const FORMS = [SECRET, JSON.stringify(SECRET).slice(1, -1), encodeURIComponent(SECRET)];

/** Tells the secret on stderr, as noise, of itself, in a stop reason, in an error, and when it dies. */
const TALKATIVE = `
const secret = process.env.GIVEN;
console.error('begin ' + secret);
console.log('noise ' + secret);
const send = (message) => console.log(JSON.stringify({ jsonrpc: '2.0', ...message }));
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  if (method === 'initialize') {
    const agentInfo = { name: 'has ' + secret, version: secret };
    const authMethods = [{ id: 'a', name: secret, description: secret }];
    send({ id, result: { protocolVersion: 1, agentInfo, authMethods } });
  } else if (method === 'session/new') send({ id, result: { sessionId: 's' } });
  else if (method === 'session/prompt') {
    const text = params.prompt.at(-1).text;
    if (text.endsWith('stop')) send({ id, result: { stopReason: secret } });
    else if (text.endsWith('fail')) send({ id, error: { code: -32603, message: secret, data: { details: secret } } });
    else {
      process.stderr.write('x'.repeat(1990) + secret + '\\n' + secret);
      process.exitCode = 3;
      process.stdin.destroy();
    }
  } else if (id !== undefined) send({ id, error: { code: -32601, message: secret } });
});
`;

let dataDir: string;
let folder: string;
let runtime: Runtime;
let logs: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'smalltalk-canary-'));
  dataDir = join(folder, 'data');
  logs = '';
  runtime = await createRuntime({
    settings: await readSettings({ env: { LOG_LEVEL: 'debug', DATA_DIR: dataDir } }),
    mode: 'headless',
    auth: { mode: 'trusted' },
    writeLog: (line) => {
      logs += line;
    },
  });
  await runtime.start();
});

afterEach(async () => {
  await runtime.stop();
  await rm(folder, { recursive: true, force: true });
});

async function read(path: string, method = 'GET', json?: unknown): Promise<string> {
  const body = json === undefined ? {} : { body: JSON.stringify(json) };
  const headers = { 'content-type': 'application/json' };
  return (await runtime.fetch(new Request(`http://runtime${path}`, { method, headers, ...body }))).text();
}
const call = async <T>(...input: Parameters<typeof read>): Promise<T> => JSON.parse(await read(...input));

test('a secret of an agent reaches no log, no event, no answer and no other file', async () => {
  const script = join(folder, 'talkative.cjs');
  await writeFile(script, TALKATIVE);
  await read('/api/secrets/CANARY', 'PUT', { value: SECRET });
  const launch = {
    kind: 'command',
    command: process.execPath,
    args: [script],
    env: { GIVEN: { secret: 'CANARY' } },
  };
  const tried = await call<AgentTestResult>('/api/agents/test', 'POST', { launch });
  expect(tried).toMatchObject({ ok: true, stderr: expect.stringContaining('begin •••') });
  const { id } = await call<Agent>('/api/agents', 'POST', { name: 'talkative', launch });
  await vi.waitFor(
    async () => expect((await call<Agent>(`/api/agents/${id}`)).state).toBe('healthy'),
    20_000,
  );
  const refused = await read(`/api/agents/${id}/authenticate`, 'POST', { methodId: 'a' });

  const session = await call<Session>('/api/sessions', 'POST', { agentId: id });
  for (const [message, state] of [
    ['stop', 'completed'],
    ['fail', 'failed'],
    ['die', 'interrupted'],
  ]) {
    await read(`/api/sessions/${session.id}/prompt`, 'POST', { message });
    await vi.waitFor(async () => {
      const { lastTurn } = await call<Session>(`/api/sessions/${session.id}`);
      expect(lastTurn).toMatchObject({ state });
    }, 20_000);
  }
  await vi.waitFor(async () => {
    const { exits } = await call<Agent>(`/api/agents/${id}`);
    expect(exits[0]?.stderr).toContain('•••');
  }, 20_000);

  const paths = [
    '/api/agents',
    `/api/agents/${id}/frames`,
    '/api/events?limit=100',
    `/api/sessions/${session.id}`,
    '/api/secrets',
    '/api/settings',
    '/metrics',
  ];
  const told = [
    JSON.stringify(tried),
    refused,
    logs,
    ...(await Promise.all(paths.map((path) => read(path)))),
  ];
  await runtime.stop();
  const files = (await readdir(dataDir, { recursive: true, withFileTypes: true })).filter((each) =>
    each.isFile(),
  );
  for (const { name, parentPath } of files) {
    if (name !== 'secrets.json') told.push(await readFile(join(parentPath, name), 'latin1'));
  }
  expect(files.some(({ name }) => name.endsWith('.sqlite'))).toBe(true);
  for (const text of [...told, logs]) {
    const at = [...FORMS, SECRET.slice(0, 9)].map((form) => text.indexOf(form)).find((index) => index >= 0);
    expect(at === undefined ? 'nothing' : text.slice(Math.max(0, at - 100), at + 20)).toBe('nothing');
  }
});
