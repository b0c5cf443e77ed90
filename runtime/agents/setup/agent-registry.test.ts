import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { randomId } from '../../base/ids.ts';
import { silentLogger } from '../../base/logger.ts';
import { type AgentConfig, agentConfig, type RuntimeEvent } from '../../contract/index.ts';
import { createEventBus } from '../../events/create-event-bus.ts';
import { openStorage } from '../../storage/open-storage.ts';
import { AgentRegistry } from './agent-registry.ts';

let dataDir: string;
let storage: Awaited<ReturnType<typeof openStorage>>;
let bus: ReturnType<typeof createEventBus>;
let registry: AgentRegistry;
let events: RuntimeEvent[];

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'smalltalk-registry-'));
  storage = await openStorage({ type: 'memory', dataDir });
  bus = createEventBus({
    storage,
    clock: systemClock,
    makeId: randomId,
    logger: silentLogger,
    retentionHours: 24,
    registrySize: 100,
  });
  await bus.start();
  events = [];
  bus.subscribe({ name: 'test', topics: ['agent.>'] }, (event) => void events.push(event));
  registry = new AgentRegistry({ storage, bus, logger: silentLogger });
});
afterEach(async () => {
  await bus.stop();
  await storage.close();
  rmSync(dataDir, { recursive: true });
});

const config = (rest: Partial<AgentConfig> = {}) =>
  agentConfig.parse({
    id: 'a',
    name: 'Agent',
    launch: { kind: 'builtin', program: 'echo', args: [] },
    createdAt: 1,
    ...rest,
  });

it('replaces a configuration, with the event', async () => {
  const [added] = await registry.add([config()], 'correlation-1');
  const changed = config({
    name: 'Renamed',
    launch: { kind: 'command', command: 'agent', args: ['acp'], env: { KEY: { secret: 'KEY' } } },
    limits: { day: { money: 5 } },
  });
  const stored = await registry.update(changed, added?.version as number, 'correlation-2');
  expect(stored.version).toBeGreaterThan(added?.version as number);
  expect(await registry.load()).toEqual([stored]);
  expect(stored.config).toEqual(changed);
  expect(events.at(-1)).toMatchObject({
    type: 'agent.changed',
    subject: 'a',
    correlationid: 'correlation-2',
    data: { id: 'a', name: 'Renamed' },
  });
});

it('refuses a change of what somebody else has changed or removed, and changes nothing', async () => {
  const [added] = await registry.add([config()], 'c');
  const first = await registry.update(config({ name: 'First' }), added?.version as number, 'c');
  await expect(
    registry.update(config({ name: 'Second' }), added?.version as number, 'c'),
  ).rejects.toMatchObject({ code: 'storage.version_conflict' });
  expect(await registry.load()).toEqual([first]);
  await registry.remove(first.config, 'c');
  await expect(registry.update(config({ name: 'Third' }), first.version, 'c')).rejects.toMatchObject({
    code: 'storage.version_conflict',
  });
  expect(await registry.load()).toEqual([]);
  expect(events.map(({ type }) => type)).toEqual(['agent.created', 'agent.changed', 'agent.deleted']);
});

it('reads what an older version has stored', async () => {
  const older = {
    id: 'old',
    name: 'Old',
    description: '',
    launch: { kind: 'command', command: '/opt/agent', args: [], env: { TOKEN: 'plain' } },
    autostart: true,
    createdAt: 1,
  };
  await storage.commit([
    { kind: 'put', collection: 'agents', id: 'old', value: older, index: { name: 'Old', createdAt: 1 } },
  ]);
  expect(await registry.load()).toMatchObject([{ config: { ...older, mcpServers: [], limits: {} } }]);
});

it('leaves out what cannot be read, and keeps it stored', async () => {
  const value = { id: 'odd', launch: { kind: 'teleport' } };
  await storage.commit([
    { kind: 'put', collection: 'agents', id: 'odd', value, index: { name: 'Odd', createdAt: 1 } },
  ]);
  await registry.add([config({ createdAt: 2 })], 'c');
  expect((await registry.load()).map(({ config: { id } }) => id)).toEqual(['a']);
  expect((await storage.get('agents', 'odd'))?.value).toEqual(value);
});
