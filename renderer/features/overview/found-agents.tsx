import { Button, Card, Checkbox, Group, Stack, Text, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { DetectedAgent } from '#contract';
import { toastError, toastSuccess } from '../../components/toast.tsx';
import { api, client } from '../../lib/api.ts';
import { formatCount } from '../../lib/format.ts';

type Found = DetectedAgent & { launch: NonNullable<DetectedAgent['launch']> };

const isNew = (agent: DetectedAgent): agent is Found =>
  agent.found && agent.launch !== undefined && agent.agentId === undefined;

/** The agents that are on this machine already, offered to a store that has none of them. Nothing where none is found. */
export function FoundAgents() {
  const queries = useQueryClient();
  const detected = useQuery({ ...api.agents.detect.queryOptions(), staleTime: 60_000 });
  const [left, setLeft] = useState<readonly string[]>([]);
  const found = detected.data?.items.filter(isNew) ?? [];
  const chosen = found.filter(({ recipe }) => !left.includes(recipe));
  const add = useMutation({
    // One after the other: what was added stays when a later one is refused, and the error names that one.
    mutationFn: async (agents: readonly Found[]) => {
      for (const { name, description, launch } of agents) {
        await client.agents.create({ name, description, launch });
      }
    },
    onSuccess: (_, agents) => toastSuccess(`Added ${formatCount(agents.length, 'agent')}`),
    onError: (error) => toastError(error, 'Not every agent was added'),
    onSettled: () => queries.invalidateQueries({ queryKey: api.agents.key() }),
  });
  if (found.length === 0) return null;
  return (
    <Card component="section" aria-label="Agents on this machine" py="sm">
      <Group justify="space-between" align="flex-start" wrap="nowrap">
        <div>
          <Title order={2} size="h5">
            Found on this machine
          </Title>
          <Text size="sm" c="dimmed">
            They run as you, with their own login; nothing is installed or changed.
          </Text>
        </div>
        <Button
          size="sm"
          flex="none"
          disabled={chosen.length === 0}
          loading={add.isPending}
          onClick={() => add.mutate(chosen)}
        >
          Add {formatCount(chosen.length, 'agent')}
        </Button>
      </Group>
      <Stack gap={6} mt="xs">
        {found.map(({ recipe, name, description }) => (
          <Checkbox
            key={recipe}
            size="sm"
            label={name}
            description={description}
            checked={!left.includes(recipe)}
            onChange={(event) => {
              const isChosen = event.currentTarget.checked;
              setLeft((before) =>
                isChosen ? before.filter((other) => other !== recipe) : [...before, recipe],
              );
            }}
          />
        ))}
      </Stack>
    </Card>
  );
}
