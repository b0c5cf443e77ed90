/** Whatever is killed, no process of an agent is left; and nothing else is ever killed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { randomId } from '../../base/ids.ts';
import { silentLogger } from '../../base/logger.ts';
import { digestOf, formatMark, MARK_VARIABLE, parseMark } from './agent-mark.ts';
import { Launcher } from './launcher.ts';
import { listEnvironmentValues, readProcess } from './process-table.ts';
import {
  firstLine,
  isRunning,
  linesOf,
  makeDataFolder,
  OBEDIENT,
  plainText,
  STUBBORN,
  shell,
  startProcesses,
  untilGone,
} from './processes.fixture.ts';
import type { Reaped } from './reaper.ts';
import { signalGroup } from './signal-group.ts';

/** Takes no SIGTERM, and says the id of what it has started, which is in its group or, behind `setsid`, not. */
const stubbornWith = (member: string) =>
  `trap '' TERM HUP; ${member} sleep 600 & echo $!; while :; do sleep 600; done`;

const started: number[] = [];
/** Nothing of a test that failed is left. */
afterEach(() => {
  for (const pid of started.splice(0)) if (isRunning(pid)) process.kill(pid, 'SIGKILL');
});

interface Held {
  runtime: number;
  launcher: number;
  agent: number;
  member: number;
}

/** Another runtime with one agent, which has started one process itself. */
async function hold(dataDir: string, agentId: string, code: string): Promise<Held> {
  const program = join(import.meta.dirname, 'hold-processes.fixture.ts');
  const child = spawn(process.execPath, [program, dataDir, agentId, code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { value } = await linesOf(child.stdout).next();
  const { launcher, agent, said } = JSON.parse(value);
  const held = { runtime: child.pid as number, launcher, agent, member: Number(said) };
  started.push(...Object.values(held));
  return held;
}

/** All at the same moment: none of them notices the end of another one. */
function kill(...pids: number[]): void {
  for (const signal of ['SIGSTOP', 'SIGKILL']) for (const pid of pids) process.kill(pid, signal);
}

describe.runIf(process.platform === 'linux')('a runtime that is killed', () => {
  it('takes its agents with it, even those that want no end, and what they started', async () => {
    const held = await hold(makeDataFolder(), 'a', stubbornWith(''));
    kill(held.runtime);
    await untilGone(...Object.values(held));
  });

  it('with its launcher leaves agents to the next start, which ends them and says so', async () => {
    const dataDir = makeDataFolder();
    const held = await hold(dataDir, 'agent-one', stubbornWith(''));
    kill(held.launcher, held.runtime);
    await untilGone(held.launcher, held.runtime);
    expect([held.agent, held.member].filter(isRunning)).toEqual([held.agent, held.member]);
    const { reaped } = await startProcesses(dataDir);
    expect([held.agent, held.member].filter(isRunning)).toEqual([]);
    expect(reaped).toEqual([{ agentId: 'agent-one', generation: 4, pid: held.agent }]);
  });

  it('leaves nothing that left its group', async () => {
    const dataDir = makeDataFolder();
    const held = await hold(dataDir, 'a', stubbornWith('setsid'));
    kill(held.launcher, held.runtime, held.agent);
    await untilGone(held.launcher, held.runtime, held.agent);
    expect(isRunning(held.member)).toBe(true);
    const { reaped } = await startProcesses(dataDir);
    expect(isRunning(held.member)).toBe(false);
    expect(reaped).toEqual([{ agentId: 'a', generation: 4, pid: held.member }]);
  });

  it('leaves nothing of which no ledger tells', async () => {
    const dataDir = makeDataFolder();
    const held = await hold(dataDir, 'a', stubbornWith(''));
    kill(held.launcher, held.runtime);
    await untilGone(held.launcher, held.runtime);
    rmSync(join(dataDir, 'agent-processes'), { recursive: true });
    const { reaped } = await startProcesses(dataDir);
    expect([held.agent, held.member].filter(isRunning)).toEqual([]);
    expect(reaped).toMatchObject([{ agentId: 'a', generation: 4 }]);
  });

  it('leaves no ledger behind', async () => {
    const dataDir = makeDataFolder();
    const held = await hold(dataDir, 'a', stubbornWith(''));
    kill(held.launcher, held.runtime);
    const processes = await startProcesses(dataDir);
    await untilGone(held.runtime);
    await processes.stop();
    expect(readdirSync(join(dataDir, 'agent-processes'))).toEqual([]);
  });
});

describe.runIf(process.platform === 'linux')('a start', () => {
  it('touches nothing of another data folder, and nothing of a runtime that lives', async () => {
    const dataDir = makeDataFolder();
    const beside = await hold(dataDir, 'a', stubbornWith(''));
    const elsewhere = await hold(makeDataFolder(), 'b', stubbornWith('setsid'));
    kill(elsewhere.launcher, elsewhere.runtime);
    const { reaped } = await startProcesses(dataDir);
    expect(reaped).toEqual([]);
    expect(
      [beside.agent, beside.member, elsewhere.agent, elsewhere.member].filter((pid) => !isRunning(pid)),
    ).toEqual([]);
  });

  it('touches no process that has got the id of one that it knows', async () => {
    const dataDir = makeDataFolder();
    const innocent = spawn('sleep', ['600'], { detached: true });
    await once(innocent, 'spawn');
    const pid = innocent.pid as number;
    started.push(pid);
    const folder = join(dataDir, 'agent-processes');
    mkdirSync(folder);
    const lines = [
      { kind: 'owner', owner: { pid: 1, start: 'before.1' }, launcher: { pid, start: 'before.3' } },
      { kind: 'runs', pid, start: 'before.2', agentId: 'a', generation: 1 },
    ];
    writeFileSync(join(folder, 'old.ndjson'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const { reaped } = await startProcesses(dataDir);
    expect(reaped).toEqual([]);
    expect(isRunning(pid)).toBe(true);
    expect(readdirSync(folder)).not.toContain('old.ndjson');
  });

  it('ends a launcher that has not ended yet after its runtime, and no other', async () => {
    const dataDir = makeDataFolder();
    const folder = join(dataDir, 'agent-processes');
    mkdirSync(folder);
    const launchers: number[] = [];
    for (const owner of [
      { pid: 1, start: 'before.1' },
      { pid: process.ppid, start: readProcess(process.ppid)?.start },
    ]) {
      const launcher = spawn('sleep', ['600'], { detached: true });
      await once(launcher, 'spawn');
      const pid = launcher.pid as number;
      started.push(pid);
      launchers.push(pid);
      const line = { kind: 'owner', owner, launcher: { pid, start: readProcess(pid)?.start } };
      writeFileSync(join(folder, `of-${pid}.ndjson`), `${JSON.stringify(line)}\n`);
    }
    const { reaped } = await startProcesses(dataDir);
    expect(reaped).toEqual([]);
    expect(launchers.map(isRunning)).toEqual([false, true]);
  });

  it('ends a process that bears the mark of a runtime whose id another process has now', async () => {
    const dataDir = makeDataFolder();
    const mark = formatMark({
      digest: digestOf(dataDir),
      agentId: 'a',
      generation: 2,
      owner: { pid: process.ppid, start: 'before.1' },
    });
    const orphan = spawn('sleep', ['600'], { env: { ...process.env, [MARK_VARIABLE]: mark } });
    await once(orphan, 'spawn');
    started.push(orphan.pid as number);
    const { reaped } = await startProcesses(dataDir);
    expect(reaped).toEqual([{ agentId: 'a', generation: 2, pid: orphan.pid }]);
    expect(isRunning(orphan.pid as number)).toBe(false);
  });
});

describe.runIf(process.platform === 'linux')('an end in order', () => {
  it('leaves nothing that left its group', async () => {
    const processes = await startProcesses(makeDataFolder());
    const agent = await processes.launch({
      agentId: 'a',
      generation: 1,
      command: shell('setsid sleep 600 & echo $!; cat'),
      redact: plainText,
    });
    const member = Number(await firstLine(agent));
    started.push(member);
    expect(isRunning(member)).toBe(true);
    await processes.stop();
    expect([agent.pid, member].filter(isRunning)).toEqual([]);
  });
});

describe.skipIf(process.platform === 'win32')('a launcher that is killed', () => {
  async function startLauncher() {
    const dataDir = makeDataFolder();
    const reaped: Reaped[] = [];
    const launcher = new Launcher({
      dataDir,
      ledgerFolder: join(dataDir, 'agent-processes'),
      owner: { pid: process.pid, start: readProcess(process.pid)?.start ?? '' },
      clock: systemClock,
      logger: silentLogger,
      makeId: randomId,
      onReaped: (found) => reaped.push(...found),
    });
    await launcher.start();
    onTestFinished(() => launcher.stop());
    return { launcher, reaped, digest: digestOf(dataDir) };
  }

  it('takes its agents with it, each of which is told as ended, and is replaced', async () => {
    const { launcher } = await startLauncher();
    const first = launcher.pid as number;
    const agents = await Promise.all(
      ['a', 'b'].map((agentId) => launcher.launch(STUBBORN, { agentId, generation: 1 })),
    );
    await Promise.all(agents.map(firstLine));
    kill(first);
    expect(await Promise.all(agents.map(({ exited }) => exited))).toEqual([
      { code: null, signal: 'SIGKILL' },
      { code: null, signal: 'SIGKILL' },
    ]);
    expect(agents.map(({ pid }) => pid).filter(isRunning)).toEqual([]);
    const next = await launcher.launch(OBEDIENT, { agentId: 'a', generation: 2 });
    expect(launcher.pid).not.toBe(first);
    next.stdin.end();
    expect(await next.exited).toEqual({ code: 0, signal: null });
  });

  it('is replaced for a launch that comes in the same moment', async () => {
    const { launcher } = await startLauncher();
    kill(launcher.pid as number);
    const launched = await launcher.launch(OBEDIENT, { agentId: 'a', generation: 1 });
    launched.stdin.end();
    expect(await launched.exited).toEqual({ code: 0, signal: null });
  });

  it.runIf(process.platform === 'linux')('leaves of a launch under way one process, or none', async () => {
    const { launcher, digest } = await startLauncher();
    const agents = () =>
      listEnvironmentValues(MARK_VARIABLE)
        .filter(({ pid, value }) => parseMark(value)?.digest === digest && isRunning(pid))
        .map(({ pid }) => pid);
    for (let generation = 1; generation <= 10; generation++) {
      const launching = launcher.launch(shell('echo up; exec sleep 600'), { agentId: 'a', generation });
      // At another step of the launch each time.
      for (let turn = 0; turn < generation * 5; turn++) await new Promise(setImmediate);
      const killed = launcher.pid as number;
      kill(killed);
      const { pid, exited } = await launching;
      await Promise.race([exited, firstLine(await launching)]);
      expect(agents()).toEqual(isRunning(pid) ? [pid] : []);
      signalGroup(pid, 'SIGKILL');
      await exited;
      // The next round is to kill the next launcher, and in the middle of a launch, not of its own start.
      await vi.waitFor(() => expect(launcher.pid).not.toBe(killed));
      await launcher.start();
    }
  });
});
