import {
  Alert,
  Anchor,
  Button,
  Card,
  Divider,
  Group,
  Progress,
  Skeleton,
  Stack,
  Text,
  Title,
} from '@mantine/core';
import { IconInfoCircle } from '@tabler/icons-react';
import { hashKey, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { BudgetState, Budgets, LimitUnit, Spent } from '#contract';
import { ErrorCard } from '../../components/error-card.tsx';
import { toastError, toastSuccess } from '../../components/toast.tsx';
import { api } from '../../lib/api.ts';
import { toApiError } from '../../lib/api-error.ts';
import { formatBudget } from '../../lib/format.ts';
import { LimitFields } from './limit-fields.tsx';

/** In whatever order the limits stand. */
const isSame = (a: Budgets, b: Budgets) => hashKey([a]) === hashKey([b]);

const SCOPES: { scope: keyof Budgets; label: string; description: string }[] = [
  { scope: 'turn', label: 'Each turn', description: 'where the agent has no limit of its own' },
  { scope: 'session', label: 'Each session', description: 'where the agent has no limit of its own' },
  { scope: 'agent', label: 'Each agent, a day', description: 'where it has no limit of its own' },
  { scope: 'day', label: 'Everything, a day', description: 'all agents together, local time' },
];

/** What agents may use: at 80 % you are told, at 100 % the turn is cancelled and you are asked. */
export function BudgetSection() {
  const state = useQuery(api.budgets.get.queryOptions());
  return (
    <Card component="section" aria-label="Budgets">
      <Title order={2} size="h5">
        Budgets
      </Title>
      <Text size="sm" c="dimmed" mb="sm">
        At 80 % you are told. At 100 % the turn is cancelled, and whether to raise the limit waits in “Needs
        you”.
      </Text>
      {state.isError && (
        <ErrorCard
          error={state.error}
          what="The budgets could not be loaded"
          onRetry={() => void state.refetch()}
        />
      )}
      {state.isPending && <Skeleton h={200} aria-busy role="status" aria-label="Loading the budgets" />}
      {state.data !== undefined && <Editor state={state.data} />}
    </Card>
  );
}

function Editor({ state }: { state: BudgetState }) {
  const queries = useQueryClient();
  const [base, setBase] = useState(state);
  const [budgets, setBudgets] = useState(state.budgets);
  const isChanged = !isSame(budgets, base.budgets);
  const isOutdated = state.version !== base.version;
  const take = () => {
    setBase(state);
    setBudgets(state.budgets);
  };
  // What others have saved is taken over, but never under the hands of somebody who types.
  if (isOutdated && (!isChanged || isSame(budgets, state.budgets))) take();
  const save = useMutation({
    ...api.budgets.set.mutationOptions(),
    onSuccess: () => toastSuccess('The budgets are saved'),
    onError: (error) =>
      toastError(
        error,
        toApiError(error).code === 'storage.version_conflict'
          ? 'Somebody else has changed the budgets meanwhile'
          : 'The budgets were not saved',
      ),
    onSettled: () => queries.invalidateQueries({ queryKey: api.budgets.key() }),
  });
  return (
    <Stack gap="sm">
      {isOutdated && isChanged && (
        <Alert color="yellow" icon={<IconInfoCircle />} title="The budgets were changed elsewhere meanwhile">
          <Group gap="xs">
            <Text size="sm" flex={1}>
              Yours are not saved. Save them over the others, or take those and lose what you typed.
            </Text>
            <Button size="xs" variant="default" onClick={take}>
              Take the others
            </Button>
          </Group>
        </Alert>
      )}
      {SCOPES.map(({ scope, label, description }) => (
        <LimitFields
          key={scope}
          label={label}
          description={description}
          value={budgets[scope]}
          onChange={(limit) => {
            const { [scope]: _, ...others } = budgets;
            setBudgets(limit === undefined ? others : { ...others, [scope]: limit });
          }}
        />
      ))}
      <Group justify="flex-end" gap="xs">
        {isChanged && (
          <Button variant="default" onClick={take}>
            Discard
          </Button>
        )}
        <Button
          disabled={!isChanged}
          loading={save.isPending}
          onClick={() => save.mutate({ budgets, expectedVersion: state.version })}
        >
          {isOutdated && isChanged ? 'Save over the others' : 'Save budgets'}
        </Button>
      </Group>
      <Divider />
      <Today state={state} />
    </Stack>
  );
}

const UNITS: readonly LimitUnit[] = ['money', 'tokens', 'minutes'];

function Today({ state }: { state: BudgetState }) {
  const limit = state.budgets.day;
  return (
    <Stack gap="xs">
      <Text size="sm" fw={500}>
        Used today ({state.day})
      </Text>
      <Group gap="xl">
        {UNITS.map((unit) => (
          <Used key={unit} unit={unit} spent={state.today} limit={limit?.[unit]} />
        ))}
      </Group>
      {state.today.unpriced && (
        <Alert variant="light" color="gray" icon={<IconInfoCircle />} p="xs">
          The money is a lower bound: what some turns cost is not known for sure.
        </Alert>
      )}
      <Text size="xs" c="dimmed">
        Where an agent does not tell its cost, prices are as of {state.prices.asOf}, from{' '}
        <Anchor href={state.prices.source} target="_blank" rel="noreferrer" underline="always" inherit>
          {state.prices.source.replace(/^https:\/\//, '')}
        </Anchor>
        .
      </Text>
    </Stack>
  );
}

function Used({ unit, spent, limit }: { unit: LimitUnit; spent: Spent; limit: number | undefined }) {
  const used = spent[unit];
  return (
    <div>
      <Text size="sm" className="tabular">
        {formatBudget(used, unit)}
        {limit !== undefined && (
          <Text span c="dimmed" size="sm">
            {' '}
            of {formatBudget(limit, unit)}
          </Text>
        )}
      </Text>
      {limit !== undefined && (
        <Progress
          mt={4}
          w={160}
          size="sm"
          value={Math.min(100, (used / limit) * 100)}
          color={used >= limit ? 'red' : used >= 0.8 * limit ? 'yellow' : 'petrol'}
          aria-label={`Used of the ${unit} of today`}
        />
      )}
    </div>
  );
}
