/** The whole runtime, embedded: real SQLite, real agent processes, called by the one function that every surface uses. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Backup, Job, Problem, RuntimeEvent, Session, SessionDetail, Status } from './contract/index.ts';
import { createRuntime, type Runtime, readSettings } from './index.ts';

let dataDir: string;
let runtime: Runtime;
let logs: string[];

async function open(env: Record<string, string> = {}): Promise<Runtime> {
  const settings = await readSettings({ env: { HEALTH_PORT: '0', ...env, DATA_DIR: dataDir } });
  return createRuntime({
    settings,
    mode: 'headless',
    auth: { mode: 'trusted' },
    writeLog: (line) => logs.push(line),
  });
}

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'smalltalk-runtime-'));
  logs = [];
  runtime = await open();
  await runtime.start();
});

afterEach(async () => {
  await runtime.stop();
  await rm(dataDir, { recursive: true, force: true });
});

async function call<T>(
  method: string,
  path: string,
  body?: unknown,
  correlationId?: string,
): Promise<{ status: number; body: T }> {
  const response = await runtime.fetch(
    new Request(`http://runtime${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(correlationId === undefined ? {} : { 'x-correlation-id': correlationId }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }),
  );
  const text = await response.text();
  return { status: response.status, body: (text === '' ? undefined : JSON.parse(text)) as T };
}

async function idle(id: string): Promise<SessionDetail> {
  return vi.waitFor(
    async () => {
      const { body } = await call<SessionDetail>('GET', `/api/sessions/${id}`);
      expect(body.status).toBe('idle');
      return body;
    },
    { timeout: 15_000 },
  );
}

async function jobDone(id: string): Promise<Job> {
  return vi.waitFor(
    async () => {
      const { body } = await call<Job>('GET', `/api/jobs/${id}`);
      expect(body.state).not.toBe('running');
      return body;
    },
    { timeout: 15_000 },
  );
}

test('one correlation id runs from the request through events and log lines', async () => {
  const created = await call<Session>(
    'POST',
    '/api/sessions',
    { message: 'hello there' },
    'test-correlation',
  );
  expect(created.status).toBe(201);
  const session = await idle(created.body.id);
  expect(session.messages.map(({ role, text }) => [role, text])).toEqual([
    ['user', 'hello there'],
    ['agent', expect.stringContaining('hello there')],
  ]);
  const { body } = await call<{ items: RuntimeEvent[] }>('GET', '/api/events?correlationId=test-correlation');
  expect(body.items.map((event) => event.type)).toEqual(
    expect.arrayContaining([
      'session.created',
      'session.turn.changed',
      'session.message.completed',
      'session.changed',
    ]),
  );
  const lines = logs
    .map((line) => JSON.parse(line))
    .filter((line) => line.correlation_id === 'test-correlation');
  expect(lines.map((line) => line.message)).toEqual(
    expect.arrayContaining(['A request was answered', 'A turn has ended']),
  );
});

test('a stop and a start bring everything back, and an agent knows the turns before', async () => {
  const { body: made } = await call<Session>('POST', '/api/sessions', { message: 'remember me' });
  const before = await idle(made.id);
  await runtime.stop();
  runtime = await open();
  await runtime.start();
  expect((await call<SessionDetail>('GET', `/api/sessions/${made.id}`)).body).toEqual(before);
  await call('POST', `/api/sessions/${made.id}/prompt`, { message: '/history' });
  const after = await idle(made.id);
  expect(after.messages.at(-1)?.text).toContain('1');
  expect(after.turns).toHaveLength(2);
});

test('a backup, a delete, a restore, an undo', async () => {
  const { body: made } = await call<Session>('POST', '/api/sessions', { message: 'keep me' });
  const before = await idle(made.id);
  const backup = await call<Job>('POST', '/api/backups');
  expect(backup.status).toBe(202);
  expect(await jobDone(backup.body.id)).toMatchObject({ state: 'succeeded' });
  const { body: list } = await call<{ items: Backup[] }>('GET', '/api/backups');
  expect(list.items).toMatchObject([{ state: 'checked', sessions: 1 }]);

  await call('DELETE', `/api/sessions/${made.id}`);
  const { body: later } = await call<Session>('POST', '/api/sessions', { title: 'made later' });
  const restore = await call<Job>('POST', `/api/backups/${list.items[0]?.id}/restore`);
  expect(await jobDone(restore.body.id)).toMatchObject({ state: 'succeeded' });
  expect((await call<SessionDetail>('GET', `/api/sessions/${made.id}`)).body).toEqual(before);
  expect((await call('GET', `/api/sessions/${later.id}`)).status).toBe(404);
  await call('POST', `/api/sessions/${made.id}/prompt`, { message: 'and on' });
  expect((await idle(made.id)).turns).toHaveLength(2);

  const undo = await call<Job>('POST', '/api/backups/undo-restore');
  expect(await jobDone(undo.body.id)).toMatchObject({ state: 'succeeded' });
  expect((await call('GET', `/api/sessions/${made.id}`)).status).toBe(404);
  expect((await call<SessionDetail>('GET', `/api/sessions/${later.id}`)).body.title).toBe('made later');
});

test('event numbers are never used twice, not over a restore either', async () => {
  await call('POST', '/api/sessions', { title: 'one' });
  const backup = await call<Job>('POST', '/api/backups');
  await jobDone(backup.body.id);
  for (const title of ['two', 'three', 'four']) await call('POST', '/api/sessions', { title });
  const newest = async () =>
    (await call<{ items: RuntimeEvent[] }>('GET', '/api/events?limit=1')).body.items[0];
  const before = (await newest())?.sequence ?? 0;
  const { body: list } = await call<{ items: Backup[] }>('GET', '/api/backups');
  const restore = await call<Job>('POST', `/api/backups/${list.items[0]?.id}/restore`);
  await jobDone(restore.body.id);
  const after = await vi.waitFor(async () => {
    const { body } = await call<{ items: RuntimeEvent[] }>(
      'GET',
      '/api/events?topics=data.generation.switched',
    );
    expect(body.items).toHaveLength(1);
    return body.items[0];
  });
  expect(after?.sequence).toBeGreaterThan(before);
});

test('health, metrics and status speak of the same thing', async () => {
  const { body: made } = await call<Session>('POST', '/api/sessions', { message: 'hi' });
  await idle(made.id);
  const { status, body } = await call<Status['health']>('GET', '/health');
  expect(status).toBe(200);
  expect(body).toMatchObject({
    status: 'healthy',
    components: {
      storage: { details: { totalSessions: 1, backendType: 'sqlite' } },
      agentMonitor: { details: { totalAgents: 1, healthyAgents: 1 } },
    },
  });
  const metrics = await (await runtime.fetch(new Request('http://runtime/metrics'))).text();
  expect(metrics).toMatch(/^sessions_total 1$/m);
  expect(metrics).toMatch(/^sessions_active 1$/m);
  expect(metrics).toMatch(/^events_published_total\{topic="session.created",priority="normal"\} 1$/m);
  expect(metrics).toMatch(/^storage_operations_duration_seconds_count\{.*operation="commit".*\} \d+$/m);
  expect((await call<Status>('GET', '/api/status')).body.about).toMatchObject({
    version: expect.any(String),
    pid: process.pid,
  });
});

test('an agent command that does not exist is refused, and nothing is kept', async () => {
  const launch = { kind: 'command', command: 'no-such-agent-anywhere' };
  const { status, body } = await call<Problem>('POST', '/api/agents', { name: 'Ghost', launch });
  expect(status).toBe(422);
  expect(body).toMatchObject({
    code: 'agent.command_not_found',
    detail: expect.stringContaining('no-such-agent-anywhere'),
  });
  expect((await call<{ items: unknown[] }>('GET', '/api/agents')).body.items).toHaveLength(1);
});

test('a secret that cannot be read keeps no other one from being masked', async () => {
  await runtime.stop();
  const secrets = [
    { name: 'OF_THE_DESKTOP', updatedAt: 1, encrypted: 'AAAA' },
    { name: 'OF_HERE', updatedAt: 1, value: 'correct-horse-battery' },
  ];
  await writeFile(join(dataDir, 'secrets.json'), JSON.stringify({ format: 1, secrets }), { mode: 0o600 });
  runtime = await open();
  await runtime.start();
  expect(logs.join('')).toContain('OF_THE_DESKTOP is encrypted by the keychain');
  runtime.logger.warn('said correct-horse-battery');
  expect(logs.at(-1)).toContain('said •••');
});

test('a start that fails leaves nothing open: the same data can be started again', async () => {
  const second = await open();
  await expect(second.start()).rejects.toMatchObject({ code: 'storage.locked' });
  await runtime.stop();
  await second.start();
  await second.stop();
  await runtime.start();
});

test('after a stop every call is told so', async () => {
  await runtime.stop();
  expect((await call<Problem>('GET', '/api/sessions')).body).toMatchObject({
    status: 503,
    code: 'runtime.stopped',
  });
});
