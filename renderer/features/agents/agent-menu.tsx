import { ActionIcon, Button, Menu } from '@mantine/core';
import {
  IconDots,
  IconFlame,
  IconMessagePlus,
  IconPencil,
  IconPlayerPlay,
  IconPlayerStop,
  IconRefresh,
  IconRotateClockwise,
  IconTrash,
  type TablerIcon,
} from '@tabler/icons-react';
import type { Agent } from '#contract';
import { type AgentCommands, DRILLS } from '../../components/agent-commands.tsx';

const ICON = { size: 15, stroke: 1.7 } as const;

/** States in which there is no process, and none is on its way. */
const DOWN: ReadonlySet<Agent['state']> = new Set(['stopped', 'crashed', 'crash-loop', 'interrupted']);
/** States in which the supervisor waits for something before its next try. */
const WAITS: ReadonlySet<Agent['state']> = new Set(['restarting', 'crash-loop']);

interface Props {
  agent: Agent;
  commands: AgentCommands;
  onEdit: () => void;
  onRemoved?: () => void;
}

/** All that can be done to an agent, behind three dots. */
export function AgentMenu({ agent, commands, onEdit, onRemoved }: Props) {
  const down = DOWN.has(agent.state);
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon
          color="gray"
          aria-label={`More for ${agent.name}`}
          onClick={(event) => event.stopPropagation()}
        >
          <IconDots size={16} />
        </ActionIcon>
      </Menu.Target>
      {/* A click in the menu bubbles through React to the row below it, which would open. */}
      <Menu.Dropdown onClick={(event) => event.stopPropagation()}>
        <Menu.Item
          leftSection={<IconMessagePlus {...ICON} />}
          disabled={down}
          onClick={() => commands.prompt(agent)}
        >
          New session
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item
          leftSection={<IconPlayerPlay {...ICON} />}
          disabled={!down && agent.state !== 'unknown'}
          onClick={() => commands.start(agent)}
        >
          Start
        </Menu.Item>
        <Menu.Item
          leftSection={<IconPlayerStop {...ICON} />}
          disabled={agent.state === 'stopped'}
          onClick={() => commands.stop(agent)}
        >
          Stop
        </Menu.Item>
        <Menu.Item leftSection={<IconRefresh {...ICON} />} onClick={() => commands.restart(agent)}>
          Restart
        </Menu.Item>
        {WAITS.has(agent.state) && (
          <Menu.Item leftSection={<IconRotateClockwise {...ICON} />} onClick={() => commands.retry(agent)}>
            Retry now
          </Menu.Item>
        )}
        <DrillSubmenu agent={agent} commands={commands} />
        <Menu.Divider />
        <Menu.Item leftSection={<IconPencil {...ICON} />} onClick={onEdit}>
          Edit configuration
        </Menu.Item>
        <Menu.Item
          c="var(--tone-bad)"
          leftSection={<IconTrash {...ICON} />}
          onClick={() => commands.remove(agent, onRemoved)}
        >
          Remove…
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function DrillSubmenu({ agent, commands }: { agent: Agent; commands: AgentCommands }) {
  if (agent.drills.length === 0) return null;
  return (
    <Menu.Sub>
      <Menu.Sub.Target>
        <Menu.Sub.Item leftSection={<IconFlame {...ICON} />} disabled={DOWN.has(agent.state)}>
          Drill
        </Menu.Sub.Item>
      </Menu.Sub.Target>
      <Menu.Sub.Dropdown>
        <DrillItems agent={agent} commands={commands} />
      </Menu.Sub.Dropdown>
    </Menu.Sub>
  );
}

function DrillItems({ agent, commands }: { agent: Agent; commands: AgentCommands }) {
  return agent.drills.map((kind) => (
    <Menu.Item key={kind} title={DRILLS[kind].what} onClick={() => commands.drill(agent, kind)}>
      {DRILLS[kind].label}
    </Menu.Item>
  ));
}

function CommandButton({
  label,
  icon: Icon,
  onClick,
}: {
  label: string;
  icon: TablerIcon;
  onClick: () => void;
}) {
  return (
    <Button px={10} variant="default" leftSection={<Icon {...ICON} />} onClick={onClick}>
      {label}
    </Button>
  );
}

/** The buttons of the details of an agent. */
export function AgentActions({ agent, commands, onEdit, onRemoved }: Props) {
  const down = DOWN.has(agent.state);
  return (
    <>
      <Button
        px={10}
        leftSection={<IconMessagePlus {...ICON} />}
        disabled={down}
        onClick={() => commands.prompt(agent)}
      >
        New session
      </Button>
      {down ? (
        <CommandButton label="Start" icon={IconPlayerPlay} onClick={() => commands.start(agent)} />
      ) : (
        <CommandButton label="Stop" icon={IconPlayerStop} onClick={() => commands.stop(agent)} />
      )}
      {WAITS.has(agent.state) ? (
        <CommandButton label="Retry now" icon={IconRotateClockwise} onClick={() => commands.retry(agent)} />
      ) : (
        <CommandButton label="Restart" icon={IconRefresh} onClick={() => commands.restart(agent)} />
      )}
      <DrillButton agent={agent} commands={commands} />
      <AgentMenu agent={agent} commands={commands} onEdit={onEdit} {...(onRemoved && { onRemoved })} />
    </>
  );
}

/** A button that offers the drills of the agent; none where it has none. */
function DrillButton({ agent, commands }: { agent: Agent; commands: AgentCommands }) {
  if (agent.drills.length === 0) return null;
  return (
    <Menu>
      <Menu.Target>
        <Button
          px={10}
          variant="default"
          leftSection={<IconFlame {...ICON} />}
          disabled={DOWN.has(agent.state)}
        >
          Drill
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Rehearse a failure</Menu.Label>
        <DrillItems agent={agent} commands={commands} />
      </Menu.Dropdown>
    </Menu>
  );
}
