/** The supervision in virtual time, over processes that do exactly what they are told. */
import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../base/clock.ts';
import { CodedError } from '../../base/errors.ts';
import { silentLogger } from '../../base/logger.ts';
import { agentConfig, fault, type LiveEvents, type LiveTopic } from '../../contract/index.ts';
import type { EventDraft } from '../../events/event-bus.ts';
import type { AgentUpdate, PromptRequest } from '../agents.ts';
import type { ProcessEnd } from '../processes/agent-process.ts';
import type { AgentConnection } from '../protocol/agent-connection.ts';
import { HALF_OPEN_MS } from './restart-policy.ts';
import { SupervisedAgent, type SupervisionSettings } from './supervised-agent.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** How the processes behave from now on; `silent` is a process that stands still. */
let manner: {
  probes: 'answered' | 'silent' | number;
  launch?: CodedError;
  initialize: 'answered' | 'silent';
};
let clock: VirtualClock;
let agent: SupervisedAgent;
let processes: FakeProcess[];
let events: EventDraft[];

const settings: SupervisionSettings = {
  heartbeatIntervalMs: 2000,
  livenessProbeTimeoutMs: 5000,
  agentHeartbeatTimeoutSeconds: 90,
  agentStateMessageHistory: 10,
  agentStateMaxSizeMb: 10,
};

class FakeProcess {
  readonly pid = 1000 + processes.length;
  readonly #ended = Promise.withResolvers<ProcessEnd>();
  readonly ended = this.#ended.promise;
  readonly signals: string[] = [];
  readonly process = {
    signal: (name: string) => {
      this.signals.push(name);
      if (name === 'SIGKILL') this.exit(null, 'SIGKILL');
    },
    resources: async () => undefined,
  };
  capabilities = undefined;
  authMethods = [];
  ownDrills = [];
  lastActivityAt = 0;
  pings = 0;
  turn: { request: PromptRequest; end: (error?: CodedError) => void } | undefined;
  #waiting: (() => void)[] = [];

  initialize(): Promise<void> {
    return manner.initialize === 'answered' ? Promise.resolve() : new Promise(() => undefined);
  }

  ping(): Promise<void> {
    this.pings += 1;
    const answered = Promise.withResolvers<void>();
    if (manner.probes === 'answered') answered.resolve();
    else if (manner.probes === 'silent') this.#waiting.push(answered.resolve);
    else clock.after(manner.probes, answered.resolve);
    return answered.promise;
  }

  /** Answers the probes that it has not answered so far. */
  wakeUp(): void {
    for (const answer of this.#waiting.splice(0)) answer();
  }

  prompt(request: PromptRequest): Promise<{ stopReason: string }> {
    const turn = Promise.withResolvers<{ stopReason: string }>();
    this.turn = {
      request,
      end: (error) => (error === undefined ? turn.resolve({ stopReason: 'end_turn' }) : turn.reject(error)),
    };
    return turn.promise;
  }

  async end(reason: CodedError, { force }: { force: boolean }): Promise<ProcessEnd> {
    this.turn?.end(reason);
    this.exit(force ? null : 0, force ? 'SIGKILL' : null);
    return this.ended;
  }

  exit(code: number | null, signal: string | null = null): void {
    this.turn?.end(fault('agent.crashed', 'gone'));
    this.#ended.resolve({ code, signal, stderr: 'last words' });
  }
}

beforeEach(() => {
  manner = { probes: 'answered', initialize: 'answered' };
  clock = new VirtualClock();
  processes = [];
  events = [];
  agent = new SupervisedAgent(
    {
      config: agentConfig.parse({
        id: 'mine',
        name: 'Mine',
        launch: { kind: 'command', command: '/bin/agent' },
        createdAt: 1,
      }),
      version: 1,
    },
    {
      name: 'Mine',
      kind: 'agent',
      generation: 0,
      exits: [],
      drillResults: [],
      failures: [],
      openings: 0,
      restarts: 0,
      desired: 'running',
      inTurn: false,
    },
    {
      clock,
      logger: silentLogger,
      settings,
      // The longest jitter: the delays are the documented ones.
      random: () => 1,
      makeId: (length) => 'x'.repeat(length),
      clientInfo: { name: 'test', version: '0' },
      async open() {
        if (manner.launch !== undefined) throw manner.launch;
        const started = new FakeProcess();
        processes.push(started);
        return started as unknown as AgentConnection;
      },
      records: { writer: () => ({ save: async () => true }) },
      publish: (draft) => void events.push(draft),
      tell: () => undefined,
    },
  );
});

/** The newest process ends with an error, and that is seen. */
async function die(): Promise<void> {
  newest().exit(1);
  await clock.advance(0);
}

const newest = () => processes.at(-1) as FakeProcess;
const dataOf = <T extends LiveTopic>(topic: T) =>
  events.filter((event) => event.topic === topic).map((event) => event.data as LiveEvents[T]);
const states = () => dataOf('agent.state.changed').map(({ to }) => to);

async function started(): Promise<void> {
  await agent.begin();
  await clock.advance(0);
}

function ask(
  onUpdate: (update: AgentUpdate) => void = () => undefined,
  signal = new AbortController().signal,
) {
  const result = agent.prompt({
    agentId: 'mine',
    sessionId: 'session',
    turnId: 'turn',
    correlationId: 'correlation',
    text: 'hello',
    attachments: [],
    history: async () => [],
    signal,
    onUpdate,
    onUsage: () => undefined,
    onPermission: async () => undefined,
    onQuestion: async () => ({ action: 'cancel' }),
  });
  result.catch(() => undefined);
  return result;
}

describe('an agent that stands still', () => {
  it('is unresponsive within 10 s, wherever in the interval that happens', async () => {
    await started();
    expect(agent.state).toBe('healthy');
    for (const offset of [0, 1, 1000, 1999]) {
      await clock.advance(offset);
      manner.probes = 'silent';
      const since = clock.now();
      while (agent.state === 'healthy') await clock.advance(100);
      expect(agent.state).toBe('unresponsive');
      expect(clock.now() - since).toBeLessThanOrEqual(10 * SECOND);
      manner.probes = 'answered';
      newest().wakeUp();
      await clock.advance(0);
      expect(agent.state, 'without a restart').toBe('healthy');
      await clock.advance(1);
    }
    expect(agent.view()).toMatchObject({ generation: 1, exits: [], restarts: 0 });
    expect(states()).not.toContain('restarting');
  });

  it('is never called healthy before it has answered in time again', async () => {
    await started();
    manner.probes = 'silent';
    await clock.advance(10 * SECOND);
    manner.probes = 1500;
    newest().wakeUp();
    await clock.advance(0);
    expect(agent.state).toBe('degraded');
    await clock.advance(1500);
    expect(agent.state).toBe('degraded');
    manner.probes = 'answered';
    await clock.advance(2 * SECOND);
    expect(agent.state).toBe('healthy');
  });

  it('is given up after 90 s, and recovered', async () => {
    await started();
    const turn = ask();
    await clock.advance(0);
    manner.probes = 'silent';
    await clock.advance(80 * SECOND);
    expect(agent.state).toBe('unresponsive');
    manner.probes = 'answered';
    await clock.advance(15 * SECOND);
    await expect(turn).rejects.toMatchObject({ code: 'agent.unresponsive' });
    expect(agent.view()).toMatchObject({ state: 'healthy', generation: 2, restarts: 1 });
    expect(agent.view().exits[0]).toMatchObject({
      signal: 'SIGKILL',
      intended: false,
      reason: expect.stringContaining('AGENT_HEARTBEAT_TIMEOUT'),
    });
  });
});

describe('a long silent tool call', () => {
  it('is quiet, not dead', async () => {
    await started();
    const turn = ask();
    await clock.advance(0);
    await clock.advance(20 * MINUTE);
    expect(agent.view()).toMatchObject({ state: 'busy', generation: 1, exits: [] });
    const { quietSince } = agent.view();
    expect(quietSince).toBe(clock.now() - 20 * MINUTE);
    expect(dataOf('agent.quiet.changed')).toEqual([{ id: 'mine', since: quietSince }]);
    newest().turn?.request.onUpdate({ kind: 'text', text: 'done' });
    expect(agent.view().quietSince).toBeUndefined();
    expect(dataOf('agent.quiet.changed').at(-1)).toEqual({ id: 'mine' });
    newest().turn?.end();
    await turn;
    expect(agent.state).toBe('healthy');
  });
});

describe('an agent that waits for the user', () => {
  it('needs him while a turn runs, and not longer', async () => {
    await started();
    agent.setWaiting(1);
    expect(agent.view()).toMatchObject({ state: 'healthy', waitingForYou: 1 });
    const turn = ask();
    await clock.advance(0);
    expect(agent.state).toBe('needs-you');
    await clock.advance(MINUTE);
    expect(agent.state, 'probes change nothing').toBe('needs-you');
    agent.setWaiting(0);
    expect(agent.state).toBe('busy');
    agent.setWaiting(2);
    newest().turn?.end();
    await turn;
    expect(agent.state).toBe('healthy');
  });

  it('is unresponsive when it stands still, and needs him again when it is back', async () => {
    await started();
    ask();
    await clock.advance(0);
    agent.setWaiting(1);
    manner.probes = 'silent';
    await clock.advance(10 * SECOND);
    expect(agent.state).toBe('unresponsive');
    manner.probes = 'answered';
    newest().wakeUp();
    await clock.advance(0);
    expect(agent.state).toBe('needs-you');
  });
});

describe('an agent that answers no probes', () => {
  beforeEach(async () => {
    manner.probes = 'silent';
    await started();
    await clock.advance(5 * SECOND);
  });

  it('is degraded, busy with a turn, and never healthy', async () => {
    expect(agent.view()).toMatchObject({ state: 'degraded', isProbed: false });
    const turn = ask();
    await clock.advance(10 * MINUTE);
    expect(agent.state).toBe('busy');
    newest().turn?.end();
    await turn;
    expect(agent.view()).toMatchObject({ state: 'degraded', generation: 1 });
    expect(states()).not.toContain('healthy');
  });

  it('is watched as soon as it answers the first one, however late', async () => {
    manner.probes = 'answered';
    newest().wakeUp();
    await clock.advance(0);
    expect(agent.view()).toMatchObject({ state: 'degraded', isProbed: true });
    await clock.advance(2 * SECOND);
    expect(agent.state).toBe('healthy');
    manner.probes = 'silent';
    await clock.advance(10 * SECOND);
    expect(agent.state).toBe('unresponsive');
  });
});

describe('a process that comes up', () => {
  it('is not ready before it has answered a probe, when an earlier one did', async () => {
    await started();
    manner.probes = 'silent';
    await die();
    await clock.advance(60 * SECOND);
    expect(agent.view()).toMatchObject({ state: 'restarting', generation: 2 });
    manner.probes = 'answered';
    newest().wakeUp();
    await clock.advance(2 * SECOND);
    expect(agent.view()).toMatchObject({ state: 'healthy', generation: 2, restarts: 1 });
  });

  it('is given up when it answers none, when an earlier one did', async () => {
    await started();
    manner.probes = 'silent';
    await die();
    await clock.advance(91 * SECOND);
    expect(agent.view().exits[0]).toMatchObject({
      generation: 2,
      reason: expect.stringContaining('no probe'),
    });
  });
});

describe('an agent that keeps dying', () => {
  it.each([2, 61])('opens the breaker when it always dies after %d s', async (seconds) => {
    await started();
    for (let i = 0; i < 5; i++) {
      while (agent.state !== 'healthy') await clock.advance(100);
      await clock.advance(seconds * SECOND);
      await die();
    }
    expect(agent.view()).toMatchObject({ state: 'crash-loop', generation: 5, attempt: 5 });
    expect(agent.view().failures).toHaveLength(5);
    expect(agent.view().halfOpenAt).toBe(clock.now() + HALF_OPEN_MS);
    await expect(ask()).rejects.toMatchObject({ code: 'agent.crash_loop' });
  });

  /** Dies at once, until the breaker is open. */
  async function crashLoop(): Promise<void> {
    await started();
    for (let i = 0; i < 5; i++) {
      while (agent.state === 'restarting') await clock.advance(100);
      await die();
    }
    expect(agent.state).toBe('crash-loop');
  }

  it('is tried by itself after 5 minutes, and after 10 when that failed', async () => {
    await crashLoop();
    manner.initialize = 'silent';
    await clock.advance(HALF_OPEN_MS);
    expect(agent.view()).toMatchObject({ state: 'restarting', generation: 6 });
    await die();
    expect(agent.view()).toMatchObject({ state: 'crash-loop', halfOpenAt: clock.now() + 2 * HALF_OPEN_MS });
    manner.initialize = 'answered';
    await clock.advance(2 * HALF_OPEN_MS);
    expect(agent.view()).toMatchObject({ state: 'healthy', generation: 7, restarts: 5 });
    expect(agent.view().halfOpenAt).toBeUndefined();
  });

  it('is tried when the user says so, once', async () => {
    await crashLoop();
    await agent.retry('Tried again by the user');
    await clock.advance(0);
    expect(agent.state).toBe('healthy');
    await clock.advance(10 * SECOND);
    await die();
    expect(agent.view()).toMatchObject({ state: 'crash-loop', generation: 6 });
  });

  it('has a clean slate when the user starts it', async () => {
    await crashLoop();
    await agent.start();
    await clock.advance(0);
    await die();
    expect(agent.view()).toMatchObject({ state: 'restarting', attempt: 1 });
  });

  it('stays stopped when the user stops it', async () => {
    await crashLoop();
    await agent.stop('Stopped by the user');
    await clock.advance(60 * MINUTE);
    expect(agent.view()).toMatchObject({ state: 'stopped', generation: 5 });
    expect(clock.pending).toBe(0);
  });
});

describe('a prompt', () => {
  it('waits for an agent that is starting again, and is told when that takes too long', async () => {
    await started();
    manner.initialize = 'silent';
    await die();
    await clock.advance(100);
    const served = ask();
    const late = ask();
    await clock.advance(10 * SECOND);
    await expect(late).rejects.toMatchObject({ code: 'agent.not_ready' });
    await expect(served).rejects.toMatchObject({ code: 'agent.not_ready' });
    manner.initialize = 'answered';
    await die();
    const third = ask();
    await clock.advance(SECOND);
    newest().turn?.end();
    expect(await third).toEqual({ stopReason: 'end_turn' });
  });

  it('shows the wait of the next restart, and can be helped by “Retry now”', async () => {
    await started();
    await die();
    await clock.advance(60);
    await die();
    expect(agent.view()).toMatchObject({ state: 'restarting', attempt: 2, nextRestartAt: clock.now() + 500 });
    await agent.retry('Tried again by the user');
    await clock.advance(0);
    expect(agent.view()).toMatchObject({ state: 'healthy', generation: 3, attempt: 0 });
    expect(agent.view().nextRestartAt).toBeUndefined();
  });
});

describe('a drill', () => {
  it('fails when nothing is noticed within a minute, and leaves nothing stopped', async () => {
    await started();
    // It stands still, but somehow answers.
    agent.drill('hang');
    await clock.advance(59 * SECOND);
    expect(agent.view().drillResults[0]).toMatchObject({ state: 'running' });
    await clock.advance(SECOND);
    expect(agent.view().drillResults[0]).toMatchObject({
      state: 'failed',
      note: 'Nothing was noticed within 60 s',
    });
    expect(newest().signals).toEqual(['SIGSTOP', 'SIGCONT']);
  });

  it('fails when the agent does not come back within a minute', async () => {
    await started();
    manner.initialize = 'silent';
    agent.drill('crash');
    await clock.advance(0);
    await clock.advance(MINUTE);
    expect(agent.view().drillResults[0]).toMatchObject({
      state: 'failed',
      detectMs: 0,
      note: 'It was not ready again within 60 s',
    });
    expect(dataOf('agent.drill.ended')).toHaveLength(1);
  });

  it('does not make the failures of the next process harmless', async () => {
    await started();
    agent.drill('crash');
    for (let i = 0; i < 5; i++) {
      await clock.advance(0);
      while (agent.state === 'restarting' && agent.view().pid === undefined) await clock.advance(100);
      await die();
    }
    await clock.advance(0);
    expect(agent.view()).toMatchObject({ state: 'crash-loop' });
  });

  it('slow: makes the process stand still in turns', async () => {
    await started();
    manner.probes = 1800;
    agent.drill('slow');
    await clock.advance(2 * SECOND);
    expect(agent.state).toBe('degraded');
    manner.probes = 'answered';
    await clock.advance(12 * SECOND);
    expect(agent.view()).toMatchObject({ state: 'healthy', generation: 1 });
    expect(agent.view().drillResults[0]).toMatchObject({ state: 'recovered', kind: 'slow' });
    expect(newest().signals.filter((name) => name === 'SIGSTOP')).toHaveLength(5);
    expect(newest().signals.at(-1)).toBe('SIGCONT');
  });

  it('slow: ends with the process going on when the agent is stopped', async () => {
    await started();
    agent.drill('slow');
    await clock.advance(SECOND);
    const { signals } = newest();
    await agent.stop('Stopped by the user');
    expect(signals).toContain('SIGSTOP');
    expect(agent.view().drillResults[0]).toMatchObject({ state: 'failed', note: 'Stopped by the user' });
    await clock.advance(0);
    expect(clock.pending).toBe(0);
  });
});

describe('a configuration that changes', () => {
  const changed = (change: object) => ({
    config: agentConfig.parse({ ...agent.config, ...change }),
    version: agent.view().version + 1,
  });

  it('changes nothing that runs when it is not about the process', async () => {
    await started();
    await agent.reconfigure(changed({ name: 'Yours', limits: {}, autostart: false }));
    expect(agent.view()).toMatchObject({ name: 'Yours', version: 2, state: 'healthy', generation: 1 });
  });

  it.each([
    { launch: { kind: 'command', command: '/bin/other' } },
    { model: 'openai/other' },
    { mcpServers: [{ type: 'http', name: 'tools', url: 'http://127.0.0.1:1' }] },
  ])('replaces the process when it is: %j', async (change) => {
    await started();
    await agent.reconfigure(changed(change));
    await clock.advance(0);
    expect(agent.view()).toMatchObject({ state: 'healthy', generation: 2 });
    expect(agent.view().exits[0]).toMatchObject({ intended: true, reason: 'Its configuration has changed' });
  });

  it('makes a crashed agent try again, but not a stopped one', async () => {
    manner.launch = fault('agent.command_not_found', 'gone');
    await expect(agent.begin()).rejects.toBeInstanceOf(CodedError);
    expect(agent.state).toBe('crashed');
    delete manner.launch;
    await agent.reconfigure(changed({ launch: { kind: 'command', command: '/bin/other' } }));
    await clock.advance(0);
    expect(agent.state).toBe('healthy');
    await agent.stop('Stopped by the user');
    await agent.reconfigure(changed({ model: 'other' }));
    expect(agent.state).toBe('stopped');
  });
});

describe('the end of the app', () => {
  it('leaves no timer', async () => {
    await started();
    const turn = ask();
    await clock.advance(6 * MINUTE);
    await agent.shutDown('SmallTalk Console was closed');
    await expect(turn).rejects.toMatchObject({ code: 'agent.stopped' });
    expect(clock.pending).toBe(0);
  });
});
