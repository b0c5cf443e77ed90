import { Anchor, Card, Group, Progress, Text, Title } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { BudgetState, LimitUnit } from '#contract';
import { formatBudget, formatMoney } from '../../lib/format.ts';

const UNITS: readonly LimitUnit[] = ['money', 'tokens', 'minutes'];

/** What agents have used today, against the limits of the day where there are some. */
export function CostCard({ state }: { state: BudgetState }) {
  const { today } = state;
  const limits = state.budgets.day ?? {};
  return (
    <Card component="section" aria-label="Used today" py="sm">
      <Group justify="space-between" mb={6}>
        <Title order={2} size="h5">
          Used today
        </Title>
        <Anchor
          size="xs"
          renderRoot={(props) => <Link to="/settings" search={{ section: 'budgets' } as never} {...props} />}
        >
          Budgets
        </Anchor>
      </Group>
      <Text size="sm" fw={500} className="tabular">
        {today.unpriced && 'At least '}
        {formatMoney(today.money)}
      </Text>
      <Text size="xs" c="dimmed" className="tabular">
        {formatBudget(today.tokens, 'tokens')} · {formatBudget(today.minutes, 'minutes')}
      </Text>
      {UNITS.map((unit) => {
        const limit = limits[unit];
        if (limit === undefined) return null;
        const share = (today[unit] / limit) * 100;
        return (
          <div key={unit}>
            <Text size="xs" c="dimmed" mt={6} mb={2} className="tabular">
              {formatBudget(today[unit], unit)} of {formatBudget(limit, unit)}
            </Text>
            <Progress
              value={Math.min(100, share)}
              color={share >= 100 ? 'red' : share >= 80 ? 'yellow' : 'petrol'}
              size="sm"
              aria-label={`Used of the ${unit} of today`}
            />
          </div>
        );
      })}
    </Card>
  );
}
