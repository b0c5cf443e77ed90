import { Stack, Text } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import type { Agent, AgentDrill, AgentDrillResult } from '#contract';
import { api, client } from '../lib/api.ts';
import { formatCount, formatDuration } from '../lib/format.ts';
import { onLiveEvent } from '../lib/live-events.ts';
import { confirm } from './confirm.tsx';
import { toastError, toastFailure, toastSuccess } from './toast.tsx';

/** What each drill rehearses, in the words of its menu item. */
export const DRILLS: Readonly<Record<AgentDrill, { label: string; what: string }>> = {
  crash: { label: 'Crash', what: 'The process ends at once; watch it come back.' },
  hang: { label: 'Hang', what: 'It stays alive but does not answer; watch it being noticed and replaced.' },
  slow: { label: 'Slow', what: 'It answers, but late.' },
  flood: { label: 'Flood', what: 'It sends far more than anybody reads.' },
};

export interface AgentCommands {
  readonly pending: boolean;
  start(agent: Agent): void;
  stop(agent: Agent): void;
  restart(agent: Agent): void;
  /** Makes the next try now: without waiting out the back-off, or half-open in a crash loop. */
  retry(agent: Agent): void;
  /** Cancels what the agent is at. */
  cancelTurns(agent: Agent): void;
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
    retry(agent) {
      mutate({
        agent,
        call: () => client.agents.retry({ id: agent.id }),
        done: `${agent.name} is tried again`,
        failed: `${agent.name} was not tried again`,
      });
    },
    cancelTurns(agent) {
      void cancelRunning(agent, mutate);
    },
    drill(agent, kind) {
      const command = {
        agent,
        call: () => runDrill(agent, kind),
        failed: `The drill was not run on ${agent.name}`,
      };
      void confirmDrill(agent, kind).then((agreed) => agreed && mutate(command));
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

/** Cancels the running turns of the agent; asks when there are several, because the click named none of them. */
async function cancelRunning(agent: Agent, mutate: (command: Command) => void): Promise<void> {
  const cancel = async (): Promise<void> => {
    const { items } = await client.sessions.list({ agentId: agent.id, status: 'busy', limit: 100 });
    await Promise.all(items.map(({ id }) => client.sessions.cancel({ id })));
  };
  const turns = formatCount(agent.runningTurns, 'running turn');
  const agreed =
    agent.runningTurns <= 1 ||
    (await confirm({
      question: `Cancel ${turns} of ${agent.name}?`,
      body: 'What was said so far is kept.',
      action: `Cancel ${formatCount(agent.runningTurns, 'turn')}`,
      cancel: 'Let them run',
    }));
  if (!agreed) return;
  mutate({
    agent,
    call: cancel,
    done: `${agent.runningTurns === 1 ? 'The turn' : turns} of ${agent.name} is being cancelled`,
    failed: `The turns of ${agent.name} were not cancelled`,
  });
}

/** Asks before a drill that costs more than the drill itself: somebody else's program, or work that is under way. */
async function confirmDrill(agent: Agent, kind: AgentDrill): Promise<boolean> {
  const { label, what } = DRILLS[kind];
  const isForeign = agent.launch.kind === 'command';
  if (!isForeign && agent.runningTurns === 0) return true;
  return confirm({
    question: `Run the ${label.toLowerCase()} drill on ${agent.name}?`,
    body: (
      <Stack gap="xs">
        <Text size="sm">{what}</Text>
        {isForeign && (
          <Text size="sm">
            {agent.name} is not built in: its process is treated like this from outside, and work that it
            keeps to itself may be lost.
          </Text>
        )}
        {agent.runningTurns > 0 && (
          <Text size="sm">
            {formatCount(agent.runningTurns, 'running turn')} will be interrupted. What was said so far is
            kept.
          </Text>
        )}
      </Stack>
    ),
    action: 'Run drill',
    danger: true,
  });
}

/** Runs the drill; its result is told once it is there, wherever the user is by then. */
async function runDrill(agent: Agent, kind: AgentDrill): Promise<void> {
  let hasEnded = false;
  let takeAway: (() => void) | undefined;
  // From before the request: a crash with a warm spare is over before its answer is here.
  const end = onLiveEvent('agent.drill.ended', ({ data }) => {
    if (data.id !== agent.id || data.drill.kind !== kind) return;
    end();
    hasEnded = true;
    takeAway?.();
    tellResult(agent, data.drill);
  });
  try {
    await client.agents.drill({ id: agent.id, kind });
    if (!hasEnded) takeAway = toastSuccess(`${DRILLS[kind].label} drill started on ${agent.name}`);
  } catch (error) {
    end();
    throw error;
  }
}

function tellResult(agent: Agent, drill: AgentDrillResult): void {
  const { label } = DRILLS[drill.kind];
  if (drill.state === 'recovered') toastSuccess(`${label} drill of ${agent.name}: ${drillTimes(drill)}`);
  else toastFailure(`${label} drill of ${agent.name} failed`, drill.note || drillTimes(drill));
}

/** When a drill was noticed and when it was over, and what it cost: `noticed after 5 ms, ready again after 48 ms`. */
function drillTimes(drill: AgentDrillResult): string {
  return [
    drill.detectMs === undefined ? 'not noticed' : `noticed after ${formatDuration(drill.detectMs)}`,
    drill.recoverMs === undefined
      ? 'not ready again'
      : `ready again after ${formatDuration(drill.recoverMs)}`,
    ...(drill.interruptedTurns > 0 ? [`${formatCount(drill.interruptedTurns, 'turn')} interrupted`] : []),
  ].join(', ');
}
