/** Agents for the tests of the sessions: they answer what the test says, when it says so. */
import type { Agents, PromptRequest, PromptResult } from '../agents/agents.ts';
import { type Agent, fault } from '../contract/index.ts';

export interface PendingPrompt {
  request: PromptRequest;
  answer(result: PromptResult): void;
  fail(error: unknown): void;
}

export type ScriptedAgents = Pick<Agents, 'list' | 'get' | 'prompt' | 'forgetSession'> & {
  /** The prompts that wait for an answer, the oldest first. */
  readonly pending: PendingPrompt[];
  readonly forgotten: string[];
};

export function createScriptedAgents(ids: string[] = ['echo']): ScriptedAgents {
  const pending: PendingPrompt[] = [];
  const forgotten: string[] = [];
  const agentOf = (id: string): Agent => ({
    id,
    name: id,
    description: '',
    launch: { kind: 'builtin', program: 'echo', args: [] },
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
    drills: [],
    exits: [],
    heartbeats: [],
  });
  return {
    pending,
    forgotten,
    list: () => ids.map(agentOf),
    get(id) {
      if (!ids.includes(id)) throw fault('agent.not_found', `There is no agent ${id}.`);
      return agentOf(id);
    },
    prompt(request) {
      const { promise, resolve, reject } = Promise.withResolvers<PromptResult>();
      pending.push({ request, answer: resolve, fail: reject });
      return promise;
    },
    forgetSession: (id) => void forgotten.push(id),
  };
}
