import {
  Anchor,
  Badge,
  Button,
  Card,
  Checkbox,
  Code,
  Collapse,
  Group,
  Loader,
  Stack,
  Text,
} from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconPlayerPlay, IconRobot } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import type { AgentLaunch, DetectedAgent } from '#contract';
import { CopyButton } from '../../components/copy.tsx';
import { EmptyState } from '../../components/empty-state.tsx';
import { ErrorCard } from '../../components/error-card.tsx';
import { toastSuccess } from '../../components/toast.tsx';
import { api, client } from '../../lib/api.ts';
import { toApiError } from '../../lib/api-error.ts';
import { formatCount } from '../../lib/format.ts';
import { launchLine } from './agent-words.ts';
import { TestResult } from './test-result.tsx';
import { useAgentTest } from './use-agent-test.ts';

type Found = DetectedAgent & { launch: AgentLaunch };

/** The well-known agents that are on this machine, to be ticked and added; below them those that could be installed. */
export function FoundAgents({
  onClose,
  onAdded,
  onByCommand,
}: {
  onClose: () => void;
  /** Called with the first of those that were added. */
  onAdded: (id: string) => void;
  onByCommand: () => void;
}) {
  // Something may have been installed since the dialog was open last.
  const { data, error, isFetching, refetch } = useQuery({
    ...api.agents.detect.queryOptions(),
    staleTime: 0,
  });
  if (error !== null) {
    return (
      <ErrorCard
        error={error}
        what="This machine could not be searched for agents"
        onRetry={() => void refetch()}
        actions={
          <Button variant="default" onClick={onByCommand}>
            Give the command line
          </Button>
        }
      />
    );
  }
  if (data === undefined) {
    return (
      <Group gap="xs" py="xl" justify="center" role="status">
        <Loader size="xs" />
        <Text size="sm" c="dimmed">
          Looking for agents on this machine…
        </Text>
      </Group>
    );
  }
  const found = data.items.filter((item): item is Found => item.found && item.launch !== undefined);
  const others = data.items.filter((item) => !item.found);
  const rest = (
    <>
      {others.length > 0 && <Others items={others} alone={found.length === 0} />}
      <Group gap="xs">
        <Text size="xs" c="dimmed">
          Searched {formatCount(data.path.length, 'folder')} on the PATH of{' '}
          {data.pathFrom === 'login-shell' ? 'your login shell' : 'the console'}.
        </Text>
        <Button size="compact-xs" variant="subtle" loading={isFetching} onClick={() => void refetch()}>
          Search again
        </Button>
      </Group>
    </>
  );
  return (
    <Stack gap="md">
      {found.length === 0 ? (
        <EmptyState
          icon={<IconRobot />}
          title="None of the well-known agents was found"
          action={<Button onClick={onByCommand}>Give the command line</Button>}
        >
          Install one of those below, or start your own by its command line.
        </EmptyState>
      ) : (
        <FoundForm
          // What is there to be ticked has changed: begin anew.
          key={found.map(({ recipe }) => recipe).join()}
          found={found}
          onClose={onClose}
          onAdded={onAdded}
        >
          {rest}
        </FoundForm>
      )}
      {found.length === 0 && rest}
    </Stack>
  );
}

function FoundForm({
  found,
  children,
  onClose,
  onAdded,
}: {
  found: readonly Found[];
  /** What stands between the cards and the buttons. */
  children: ReactNode;
  onClose: () => void;
  onAdded: (id: string) => void;
}) {
  const queries = useQueryClient();
  const fresh = found.filter(({ agentId }) => agentId === undefined);
  const [ticked, setTicked] = useState<ReadonlySet<string>>(() => new Set(fresh.map(({ recipe }) => recipe)));
  const [failures, setFailures] = useState<Readonly<Record<string, string>>>({});
  const chosen = fresh.filter(({ recipe }) => ticked.has(recipe));
  const add = useMutation({
    mutationFn: () => addEach(chosen),
    onSuccess: ({ added, failed }) => {
      void queries.invalidateQueries({ queryKey: api.agents.list.key() });
      setFailures(failed);
      if (added.length > 0) toastSuccess(`${added.map(({ name }) => name).join(', ')} added`);
      const [first] = added;
      if (first !== undefined && Object.keys(failed).length === 0) onAdded(first.id);
      // Those that were added are ticked no more.
      else void queries.invalidateQueries({ queryKey: api.agents.detect.key() });
    },
  });
  const toggle = (recipe: string): void =>
    setTicked((current) => {
      const next = new Set(current);
      if (!next.delete(recipe)) next.add(recipe);
      return next;
    });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        add.mutate();
      }}
    >
      <Stack gap="xs">
        {found.map((item) => (
          <FoundCard
            key={item.recipe}
            item={item}
            ticked={ticked.has(item.recipe)}
            failure={failures[item.recipe]}
            onToggle={() => toggle(item.recipe)}
          />
        ))}
        {children}
        {add.error !== null && <ErrorCard error={add.error} what="The agents were not added" />}
        <Group justify="flex-end" gap="xs" mt="xs">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" disabled={chosen.length === 0} loading={add.isPending}>
            Add {formatCount(chosen.length, 'agent')}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** Adds one after the other; one that cannot be added keeps none of the others from it. */
async function addEach(chosen: readonly Found[]): Promise<{
  added: { id: string; name: string }[];
  failed: Record<string, string>;
}> {
  const added: { id: string; name: string }[] = [];
  const failed: Record<string, string> = {};
  for (const { recipe, name, description, launch } of chosen) {
    try {
      added.push(await client.agents.create({ name, description, launch }));
    } catch (error) {
      const { detail, title } = toApiError(error);
      failed[recipe] = detail || title;
    }
  }
  return { added, failed };
}

function FoundCard({
  item,
  ticked,
  failure,
  onToggle,
}: {
  item: Found;
  ticked: boolean;
  failure: string | undefined;
  onToggle: () => void;
}) {
  const test = useAgentTest();
  const isAdded = item.agentId !== undefined;
  return (
    <Card padding="sm" component="article" aria-label={item.name}>
      <Stack gap="xs">
        <Group justify="space-between" wrap="nowrap" align="flex-start">
          <Checkbox
            size="sm"
            checked={ticked && !isAdded}
            disabled={isAdded}
            onChange={onToggle}
            label={
              <>
                {item.name}{' '}
                {isAdded && (
                  <Badge size="xs" variant="light" color="gray" tt="none">
                    added already
                  </Badge>
                )}
              </>
            }
            description={item.description}
          />
          <Button
            flex="none"
            variant="default"
            size="compact-xs"
            aria-label={`Test ${item.name}`}
            leftSection={<IconPlayerPlay size={13} />}
            loading={test.pending}
            onClick={() => test.run({ launch: item.launch })}
          >
            Test
          </Button>
        </Group>
        <Code style={{ overflowWrap: 'anywhere' }}>{launchLine(item.launch)}</Code>
        {item.login !== '' && (
          <Hint label="Login">
            <WithCode text={item.login} />
          </Hint>
        )}
        {failure !== undefined && (
          <Text size="sm" c="var(--tone-bad)" role="alert">
            {failure}
          </Text>
        )}
        {test.result !== undefined && <TestResult result={test.result} />}
        {test.error !== null && <ErrorCard error={test.error} what="The agent could not be tested" />}
      </Stack>
    </Card>
  );
}

/** `alone`: there is nothing above them, so they need not be asked for. */
function Others({ items, alone }: { items: readonly DetectedAgent[]; alone: boolean }) {
  const [opened, { toggle }] = useDisclosure(false);
  const cards = (
    <Stack gap="xs">
      {items.map((item) => (
        <Card key={item.recipe} padding="sm" component="article" aria-label={item.name}>
          <Group gap="xs" justify="space-between">
            <Text size="sm" fw={500}>
              {item.name}
            </Text>
            <Anchor size="xs" href={item.website} target="_blank" rel="noreferrer">
              Website
            </Anchor>
          </Group>
          <Text size="xs" c="dimmed">
            {item.description}
          </Text>
          <Hint label="Install">
            <Code style={{ overflowWrap: 'anywhere' }}>{item.install}</Code>
            <CopyButton value={item.install} label={`Copy how to install ${item.name}`} />
          </Hint>
          {item.login !== '' && (
            <Hint label="Login">
              <WithCode text={item.login} />
            </Hint>
          )}
        </Card>
      ))}
    </Stack>
  );
  if (alone) return cards;
  return (
    <Stack gap="xs">
      <Button variant="subtle" size="compact-xs" w="fit-content" aria-expanded={opened} onClick={toggle}>
        {opened ? 'Hide the others' : `Others that can be installed (${items.length})`}
      </Button>
      <Collapse expanded={opened}>{cards}</Collapse>
    </Stack>
  );
}

function Hint({ label, children }: { label: string; children: ReactNode }) {
  return (
    <Group gap={4} mt={6} wrap="nowrap" align="flex-start">
      <Text size="xs" c="dimmed" w={48} flex="none">
        {label}
      </Text>
      {children}
    </Group>
  );
}

/** A text in which what is to be typed stands between backticks. */
function WithCode({ text }: { text: string }) {
  return (
    <Text size="xs" component="div">
      {text.split('`').map((part, index) =>
        index % 2 === 0 ? (
          part
        ) : (
          // biome-ignore lint/suspicious/noArrayIndexKey: a part is its place in the text.
          <Code key={index}>{part}</Code>
        ),
      )}
    </Text>
  );
}
