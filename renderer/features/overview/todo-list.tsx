import { Button, Card, Group, Stack, Text, Title } from '@mantine/core';
import { IconAlertTriangle, IconArchive, IconCoin } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { AgentCommands } from '../../components/agent-commands.tsx';
import { AgentFirstAction } from '../../components/agent-first-action.tsx';
import { StatusBadge } from '../../components/status-badge.tsx';
import { formatCount } from '../../lib/format.ts';
import type { Todo } from './summary.ts';

/** At most five things that wait for the user, each with its button. Nothing where there are none. */
export function TodoList({
  todos,
  more,
  commands,
  onBackup,
}: {
  todos: readonly Todo[];
  more: number;
  commands: AgentCommands;
  onBackup: () => void;
}) {
  if (todos.length === 0) return null;
  return (
    <Card component="section" aria-label="To act on" py="sm">
      <Title order={2} size="h5" mb={6}>
        To act on
      </Title>
      <Stack gap={4}>
        {todos.map((todo) => (
          <TodoRow key={todo.key} todo={todo} commands={commands} onBackup={onBackup} />
        ))}
        {more > 0 && (
          <Text size="xs" c="dimmed">
            and {formatCount(more, 'other thing')}
          </Text>
        )}
      </Stack>
    </Card>
  );
}

function TodoRow({
  todo,
  commands,
  onBackup,
}: {
  todo: Todo;
  commands: AgentCommands;
  onBackup: () => void;
}) {
  switch (todo.kind) {
    case 'agent':
      return (
        <Row
          mark={<StatusBadge status={todo.agent.state} reason={todo.agent.reason} />}
          name={todo.agent.name}
          text={todo.text}
          action={<AgentFirstAction agent={todo.agent} commands={commands} />}
        />
      );
    case 'item':
      return (
        <Row
          mark={<StatusBadge status="needs-you" />}
          name={todo.name}
          text={todo.text}
          action={
            <Button
              size="compact-xs"
              variant="default"
              aria-label={`Answer: ${todo.text}`}
              renderRoot={(props) => <Link to="/needs-you" hash={todo.item.id} {...props} />}
            >
              Answer
            </Button>
          }
        />
      );
    case 'budget':
      return (
        <Row
          mark={<Mark icon={<IconCoin size={15} color="var(--tone-warning)" />} label="Budget" />}
          text={todo.text}
          action={
            <Button
              size="compact-xs"
              variant="default"
              renderRoot={(props) => (
                <Link to="/settings" search={{ section: 'budgets' } as never} {...props} />
              )}
            >
              See budgets
            </Button>
          }
        />
      );
    case 'session':
      return (
        <Row
          mark={<StatusBadge status={todo.session.status} />}
          name={todo.session.title}
          text={todo.text}
          action={
            <Button
              size="compact-xs"
              variant="default"
              renderRoot={(props) => <Link to="/sessions/$id" params={{ id: todo.session.id }} {...props} />}
            >
              Open
            </Button>
          }
        />
      );
    case 'backup':
      return (
        <Row
          mark={<Mark icon={<IconArchive size={15} />} label="Backup" />}
          text={todo.text}
          action={
            <Button size="compact-xs" variant="default" onClick={onBackup}>
              Back up now
            </Button>
          }
        />
      );
    case 'damaged':
      return (
        <Row
          mark={<StatusBadge status="failed" label="Damaged" />}
          text={todo.text}
          action={
            <Button
              size="compact-xs"
              variant="default"
              renderRoot={(props) => <Link to="/backups" {...props} />}
            >
              See backups
            </Button>
          }
        />
      );
    case 'warning':
      return (
        <Row
          mark={<Mark icon={<IconAlertTriangle size={15} color="var(--tone-warning)" />} label="Warning" />}
          text={todo.text}
          action={
            <Button
              size="compact-xs"
              variant="default"
              renderRoot={(props) => <Link to="/settings" {...props} />}
            >
              See settings
            </Button>
          }
        />
      );
  }
}

/** What stands where agents and sessions have their status. */
function Mark({ icon, label }: { icon: ReactNode; label: string }) {
  return (
    <>
      {icon}
      <Text size="sm">{label}</Text>
    </>
  );
}

function Row({
  mark,
  name,
  text,
  action,
}: {
  mark: ReactNode;
  name?: string;
  text: string;
  action: ReactNode;
}) {
  return (
    <Group gap="sm" wrap="nowrap" mih={26}>
      <Group w={116} gap={6} wrap="nowrap" style={{ flex: 'none' }}>
        {mark}
      </Group>
      <Text size="sm" lineClamp={2} flex={1} title={text}>
        {name !== undefined && <b>{name} </b>}
        {text}
      </Text>
      {action}
    </Group>
  );
}
