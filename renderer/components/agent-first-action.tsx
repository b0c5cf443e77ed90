import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { Agent } from '#contract';
import type { AgentCommands } from './agent-commands.tsx';

/** The one thing to do first about an agent in its state (UX: status vocabulary). */
export function AgentFirstAction({
  agent,
  commands,
  variant = 'default',
}: {
  agent: Agent;
  commands: AgentCommands;
  variant?: 'default' | 'filled' | 'light';
}) {
  const button = (label: string, act: (agent: Agent) => void) => (
    <Button
      size="compact-xs"
      variant={variant}
      aria-label={`${label}: ${agent.name}`}
      onClick={(event) => {
        event.stopPropagation();
        act(agent);
      }}
    >
      {label}
    </Button>
  );
  const look = (label: string, tab: string) => (
    <Button
      size="compact-xs"
      variant={variant}
      aria-label={`${label}: ${agent.name}`}
      onClick={(event) => event.stopPropagation()}
      renderRoot={(props) => (
        <Link to="/agents/$id" params={{ id: agent.id }} search={{ tab } as never} {...props} />
      )}
    >
      {label}
    </Button>
  );
  switch (agent.state) {
    case 'healthy':
      return button('Prompt', commands.prompt);
    case 'unresponsive':
    case 'crashed':
      return button('Restart', commands.restart);
    case 'restarting':
      return button('Retry now', commands.retry);
    case 'interrupted':
      return button('Resume', commands.start);
    case 'stopped':
    case 'unknown':
      return button('Start', commands.start);
    case 'crash-loop':
      return look('See exits', 'exits');
    case 'degraded':
      return look('Inspect', 'health');
    case 'busy':
      return button('Cancel', commands.cancelTurns);
    case 'needs-you':
      return (
        <Button
          size="compact-xs"
          variant={variant}
          aria-label={`Answer: ${agent.name}`}
          onClick={(event) => event.stopPropagation()}
          renderRoot={(props) => <Link to="/needs-you" search={{ agentId: agent.id } as never} {...props} />}
        >
          Answer
        </Button>
      );
  }
}
