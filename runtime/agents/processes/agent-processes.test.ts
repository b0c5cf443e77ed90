import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Logger, silentLogger } from '../../base/logger.ts';
import {
  firstLine,
  isRunning,
  makeDataFolder,
  OBEDIENT,
  plainText,
  STUBBORN,
  script,
  shell,
  startProcesses,
} from './processes.fixture.ts';

const IDENTITY = { agentId: 'a', generation: 1, redact: plainText };

describe('a launch', () => {
  it('passes every byte in both directions, whole and in order', async () => {
    const processes = await startProcesses(makeDataFolder());
    const launched = await processes.launch({ ...IDENTITY, command: shell('cat; echo error >&2') });
    const sent = Buffer.alloc(3_000_000, 'smalltalk ');
    launched.stdin.end(sent);
    const received: Buffer[] = [];
    for await (const chunk of launched.stdout) received.push(chunk);
    expect(Buffer.concat(received).equals(sent)).toBe(true);
    expect(await launched.ended).toEqual({ code: 0, signal: null, stderr: 'error' });
  });

  it('tells how the process ended', async () => {
    const processes = await startProcesses(makeDataFolder());
    const command = shell('read line; exit 7');
    const exits = await processes.launch({ ...IDENTITY, command });
    exits.stdin.write('go\n');
    expect(await exits.ended).toMatchObject({ code: 7, signal: null });
    const killed = await processes.launch({ ...IDENTITY, command });
    killed.signal('SIGSEGV');
    expect(await killed.ended).toMatchObject({ code: null, signal: 'SIGSEGV' });
  });

  it('gives each process a group of its own, and ends it with its leader', async () => {
    const processes = await startProcesses(makeDataFolder());
    const command = shell('sleep 600 & echo $!; read line');
    const launched = await processes.launch({ ...IDENTITY, command });
    const grandchild = Number(await firstLine(launched));
    expect(isRunning(grandchild)).toBe(true);
    launched.stdin.write('end\n');
    await launched.ended;
    await expect.poll(() => isRunning(grandchild)).toBe(false);
  });

  it.each([
    ['agent.command_not_found', { command: '/no/such/command' }],
    ['agent.command_not_executable', { command: '/etc/passwd' }],
    ['agent.working_directory_missing', { cwd: '/no/such/folder' }],
    ['agent.failed', { env: { BROKEN: 'a\0b' } }],
  ])('that is refused rejects with %s', async (code, change) => {
    const processes = await startProcesses(makeDataFolder());
    await expect(
      processes.launch({ ...IDENTITY, command: { ...OBEDIENT, ...change } }),
    ).rejects.toMatchObject({ code });
  });

  it('is refused, as something to be tried again, before the start and after the stop', async () => {
    const processes = await startProcesses(makeDataFolder());
    await processes.stop();
    await expect(processes.launch({ ...IDENTITY, command: OBEDIENT })).rejects.toMatchObject({
      code: 'agent.start_refused',
    });
  });

  it('needs no ledger where none can be written', async () => {
    const dataDir = makeDataFolder();
    writeFileSync(join(dataDir, 'agent-processes'), 'in the way');
    const warnings: string[] = [];
    const logger: Logger = {
      ...silentLogger,
      warn: (message) => void warnings.push(message),
      with: () => logger,
    };
    const processes = await startProcesses(dataDir, { logger });
    const launched = await processes.launch({ ...IDENTITY, command: OBEDIENT });
    expect(await launched.end()).toMatchObject({ code: 0 });
    expect(warnings).toEqual([expect.stringContaining('ledger')]);
  });

  it('needs no short path to the data folder', async () => {
    const dataDir = join(makeDataFolder(), 'long'.repeat(30));
    mkdirSync(dataDir);
    const processes = await startProcesses(dataDir);
    const launched = await processes.launch({ ...IDENTITY, command: OBEDIENT });
    expect(await launched.end()).toMatchObject({ code: 0 });
  });

  it('brings up twenty at once, each with its own streams', async () => {
    const processes = await startProcesses(makeDataFolder());
    const names = Array.from({ length: 20 }, (_, i) => `agent-${i}`);
    const said = await Promise.all(
      names.map(async (agentId) => {
        const command = shell(`echo ${agentId}; cat`);
        return firstLine(await processes.launch({ ...IDENTITY, agentId, command }));
      }),
    );
    expect(said).toEqual(names);
  });
});

describe('an end in order', () => {
  it('is the end of stdin for an obedient process', async () => {
    const processes = await startProcesses(makeDataFolder());
    const launched = await processes.launch({ ...IDENTITY, command: OBEDIENT });
    expect(await launched.end()).toMatchObject({ code: 0, signal: null });
  });

  it('is SIGTERM for one that has its reasons', async () => {
    const processes = await startProcesses(makeDataFolder());
    const launched = await processes.launch({
      ...IDENTITY,
      command: script(
        'process.on("SIGTERM", () => process.exit(3)); setInterval(() => {}, 1000); console.log("up")',
      ),
    });
    await firstLine(launched);
    expect(await launched.end()).toMatchObject({ code: 3, signal: null });
  });

  it('is SIGKILL for one that takes nothing else, and for its group', async () => {
    const processes = await startProcesses(makeDataFolder());
    const command = shell("trap '' TERM; sh -c 'trap \"\" TERM; echo $$; sleep 600'; sleep 600");
    const launched = await processes.launch({ ...IDENTITY, command });
    const grandchild = Number(await firstLine(launched));
    expect(await launched.end()).toMatchObject({ signal: 'SIGKILL' });
    await expect.poll(() => isRunning(grandchild)).toBe(false);
  });

  it('reaches one that is stopped', async () => {
    const processes = await startProcesses(makeDataFolder());
    const launched = await processes.launch({ ...IDENTITY, command: OBEDIENT });
    launched.signal('SIGSTOP');
    expect(await launched.end()).toMatchObject({ code: 0, signal: null });
  });

  it('comes to all that are left when everything stops', async () => {
    const processes = await startProcesses(makeDataFolder());
    const stubborn = await processes.launch({ ...IDENTITY, command: STUBBORN });
    await firstLine(stubborn);
    const obedient = await processes.launch({ ...IDENTITY, agentId: 'b', command: OBEDIENT });
    await processes.stop();
    expect([stubborn.pid, obedient.pid].filter(isRunning)).toEqual([]);
  });
});

describe('the resources of an agent', () => {
  it('are those of its whole group', async () => {
    const processes = await startProcesses(makeDataFolder());
    const launched = await processes.launch({
      ...IDENTITY,
      command: shell('sleep 600 & while :; do :; done'),
    });
    await expect
      .poll(() => launched.resources(), { timeout: 10_000 })
      .toMatchObject({ processes: 2, cpuPercent: expect.toSatisfy((percent) => percent > 5) });
    const { memoryBytes } = (await launched.resources()) ?? { memoryBytes: 0 };
    expect(memoryBytes).toBeGreaterThan(500_000);
    await launched.kill();
    expect(await launched.resources()).toBeUndefined();
  });
});
