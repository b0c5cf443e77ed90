import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import type { Agent, AgentDrill } from '#contract';
import { api, client } from '../lib/api.ts';
import { formatCount } from '../lib/format.ts';
import { confirm } from './confirm.tsx';
import { toastError, toastSuccess } from './toast.tsx';

/** What each drill rehearses, in the words of its menu item. */
export const DRILLS: Readonly<Record<AgentDrill, { label: string; what: string }>> = {
  crash: { label: 'Crash', what: 'The process ends at once; watch it come back.' },
  hang: { label: 'Hang', what: 'It stays alive but does not answer; watch it being noticed.' },
  slow: { label: 'Slow', what: 'It answers, but late.' },
  flood: { label: 'Flood', what: 'It sends far more than anybody reads.' },
};

export interface AgentCommands {
  readonly pending: boolean;
  start(agent: Agent): void;
  stop(agent: Agent): void;
  restart(agent: Agent): void;
  drill(agent: Agent, kind: AgentDrill): void;
  remove(agent: Agent, onRemoved?: () => void): void;
  /** Opens a new session with the agent. */
  prompt(agent: Agent): void;
}

interface Command {
  readonly agent: Agent;
  readonly call: () => Promise<unknown>;
  readonly done?: string;
  readonly failed: string;
  readonly after?: () => void;
}

/** What the user can do to an agent; asks first where a running turn would be lost, and tells the result. */
export function useAgentCommands(): AgentCommands {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const { mutate, isPending } = useMutation({
    networkMode: 'always',
    mutationFn: ({ call }: Command) => call(),
    onSuccess: (_result, { done, after }) => {
      if (done !== undefined) toastSuccess(done);
      after?.();
    },
    onError: (error, { failed }) => toastError(error, failed),
    onSettled: () => queries.invalidateQueries({ queryKey: api.agents.key() }),
  });

  const whenSafe = async (
    agent: Agent,
    question: string,
    action: string,
    command: Command,
  ): Promise<void> => {
    const turns = formatCount(agent.runningTurns, 'running turn');
    const agreed =
      agent.runningTurns === 0 ||
      (await confirm({
        question,
        body: `${turns} of ${agent.name} will be interrupted. What was said so far is kept.`,
        action,
        danger: true,
      }));
    if (agreed) mutate(command);
  };

  return {
    pending: isPending,
    start(agent) {
      mutate({
        agent,
        call: () => client.agents.start({ id: agent.id }),
        done: `${agent.name} is starting`,
        failed: `${agent.name} was not started`,
      });
    },
    stop(agent) {
      void whenSafe(agent, `Stop ${agent.name}?`, 'Stop agent', {
        agent,
        call: () => client.agents.stop({ id: agent.id }),
        done: `${agent.name} is stopped`,
        failed: `${agent.name} was not stopped`,
      });
    },
    restart(agent) {
      void whenSafe(agent, `Restart ${agent.name}?`, 'Restart agent', {
        agent,
        call: () => client.agents.restart({ id: agent.id }),
        done: `${agent.name} is restarting`,
        failed: `${agent.name} was not restarted`,
      });
    },
    drill(agent, kind) {
      const { label } = DRILLS[kind];
      void whenSafe(agent, `Run the ${label.toLowerCase()} drill on ${agent.name}?`, 'Run drill', {
        agent,
        call: () => client.agents.drill({ id: agent.id, kind }),
        done: `${label} drill started on ${agent.name}`,
        failed: `The drill was not run on ${agent.name}`,
      });
    },
    remove(agent, onRemoved) {
      void confirm({
        question: `Remove the agent ${agent.name}?`,
        body: 'Its process is ended and its configuration is deleted. Its sessions stay, but can no longer be prompted.',
        action: 'Remove agent',
        danger: true,
      }).then((agreed) => {
        if (!agreed) return;
        mutate({
          agent,
          call: () => client.agents.delete({ id: agent.id }),
          done: `${agent.name} is removed`,
          failed: `${agent.name} was not removed`,
          ...(onRemoved && { after: onRemoved }),
        });
      });
    },
    prompt(agent) {
      mutate({
        agent,
        call: async () => {
          const session = await client.sessions.create({ agentId: agent.id });
          await navigate({ to: '/sessions/$id', params: { id: session.id } });
        },
        failed: 'The session was not created',
      });
    },
  };
}
