import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { VirtualClock } from '../../base/clock.ts';
import { agentConfig } from '../../contract/index.ts';
import { createSecretStore } from '../../settings/secret-store.ts';
import { createSecrets } from './secrets.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'smalltalk-secrets-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const agents = [
  agentConfig.parse({
    id: 'by-environment',
    name: 'a',
    launch: { kind: 'command', command: 'a', env: { TOKEN: { secret: 'SHARED' }, PLAIN: 'SHARED' } },
    createdAt: 1,
  }),
  agentConfig.parse({
    id: 'by-server',
    name: 'b',
    launch: { kind: 'builtin', program: 'echo' },
    mcpServers: [
      {
        type: 'stdio',
        name: 's',
        command: 'x',
        env: { A: { secret: 'ONLY_HERE' }, B: { secret: 'SHARED' } },
      },
      { type: 'http', name: 'h', url: 'https://example.com', headers: { k: { secret: 'SHARED' } } },
    ],
    createdAt: 2,
  }),
];

it('tells the agents that use a secret, and never its value', async () => {
  const clock = new VirtualClock(5);
  const store = createSecretStore({ file: join(folder, 'secrets.json'), clock });
  const secrets = createSecrets({ store, agents: () => agents });

  expect(await secrets.set('SHARED', 'hush-hush')).toEqual({
    name: 'SHARED',
    updatedAt: 5,
    usedBy: ['by-environment', 'by-server'],
  });
  await secrets.set('ONLY_HERE', 'hush-hush');
  await secrets.set('UNUSED', 'hush-hush');
  const list = await secrets.list();
  expect(list.protection).toBe('file');
  expect(list.items.map(({ name, usedBy }) => [name, usedBy])).toEqual([
    ['ONLY_HERE', ['by-server']],
    ['SHARED', ['by-environment', 'by-server']],
    ['UNUSED', []],
  ]);
  expect(JSON.stringify(list)).not.toContain('hush');

  await secrets.delete('SHARED');
  expect((await secrets.list()).items).toHaveLength(2);
});
