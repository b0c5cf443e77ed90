/** Agents for the tests of the sessions: they answer what the test says, when it says so. */
import type { Agents, PromptRequest, PromptResult, SessionTold } from '../agents/agents.ts';
import { type Agent, type AgentLimits, fault } from '../contract/index.ts';

export interface PendingPrompt {
  request: PromptRequest;
  answer(result: PromptResult): void;
  fail(error: unknown): void;
}

export type ScriptedAgents = Pick<
  Agents,
  'list' | 'get' | 'prompt' | 'setMode' | 'setOption' | 'watchSessions' | 'setWaiting' | 'forgetSession'
> & {
  /** The prompts that wait for an answer, the oldest first. */
  readonly pending: PendingPrompt[];
  readonly forgotten: string[];
  /** By agent: how many of its items wait, as it was told last. */
  readonly waiting: Map<string, number>;
  /** By agent; none to begin with. */
  readonly limits: Map<string, AgentLimits>;
  /** By agent: the model of its configuration. */
  readonly models: Map<string, string>;
  /** How they know the sessions that they are prompted in; undefined: they are not, the test says when. */
  knownBy: PromptResult['knownBy'];
  /** What the agent tells of a session. */
  tell(sessionId: string, told: SessionTold): void;
};

export function createScriptedAgents(ids: string[] = ['echo']): ScriptedAgents {
  const pending: PendingPrompt[] = [];
  const forgotten: string[] = [];
  const waiting = new Map<string, number>();
  const limits = new Map<string, AgentLimits>();
  const models = new Map<string, string>();
  let listener: Parameters<Agents['watchSessions']>[0] = () => undefined;
  const agentOf = (id: string): Agent => {
    const model = models.get(id);
    return {
      id,
      name: id,
      description: '',
      launch: { kind: 'builtin', program: id === 'echo' ? 'echo' : 'chat', args: [] },
      ...(model === undefined ? {} : { model }),
      mcpServers: [],
      limits: limits.get(id) ?? {},
      autostart: true,
      createdAt: 0,
      version: 1,
      state: 'healthy',
      reason: '',
      since: 0,
      generation: 1,
      runningTurns: 0,
      restarts: 0,
      attempt: 0,
      authMethods: [],
      isProbed: true,
      failures: [],
      breakerLimit: 5,
      waitingForYou: waiting.get(id) ?? 0,
      drills: [],
      drillResults: [],
      exits: [],
      heartbeats: [],
    };
  };
  const agents: ScriptedAgents = {
    knownBy: 'kept',
    pending,
    forgotten,
    waiting,
    limits,
    models,
    list: () => ids.map(agentOf),
    get(id) {
      if (!ids.includes(id)) throw fault('agent.not_found', `There is no agent ${id}.`);
      return agentOf(id);
    },
    prompt(request) {
      const { promise, resolve, reject } = Promise.withResolvers<PromptResult>();
      pending.push({ request, answer: resolve, fail: reject });
      if (agents.knownBy !== undefined) request.onOpened?.(agents.knownBy);
      return promise;
    },
    async setMode(_, sessionId, modeId) {
      if (modeId === 'unknown') throw fault('session.mode_unknown', 'There is no such mode.');
      listener(sessionId, {
        modes: { currentModeId: modeId, availableModes: [{ id: modeId, name: modeId }] },
      });
    },
    async setOption(_, sessionId, optionId, value) {
      listener(sessionId, { options: [{ id: optionId, name: optionId, value }] });
    },
    watchSessions(told) {
      listener = told;
    },
    setWaiting: (agentId, count) => void waiting.set(agentId, count),
    tell: (sessionId, told) => listener(sessionId, told),
    forgetSession: (id) => void forgotten.push(id),
  };
  return agents;
}
