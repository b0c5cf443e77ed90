import { Button, Card, CloseButton, Group, Stack, Text, Title } from '@mantine/core';
import { IconCircleCheckFilled, IconCircleDashed, IconRocket } from '@tabler/icons-react';
import type { FirstStep, FirstStepKey } from './first-steps.ts';

/** Offered to a store that has nothing in it yet. */
export function DemoOffer({ pending, onStart }: { pending: boolean; onStart: () => void }) {
  return (
    <Card component="section" aria-label="Demo fleet" py="sm">
      <Group gap="md" wrap="nowrap">
        <IconRocket size={28} stroke={1.5} color="var(--mantine-primary-color-filled)" aria-hidden />
        <div style={{ flex: 1 }}>
          <Title order={2} size="h5">
            See it at work
          </Title>
          <Text size="sm" c="dimmed">
            A small fleet of demo agents runs on this machine: no account, no key, no network.
          </Text>
        </div>
        <Button size="sm" loading={pending} onClick={onStart}>
          Start the demo fleet
        </Button>
      </Group>
    </Card>
  );
}

const ACTIONS: Readonly<Record<FirstStepKey, string>> = {
  talk: 'New session',
  crash: 'Run crash drill',
  backup: 'Back up now',
  restore: 'Choose a backup',
};

/** The four steps through the product, ticked by what really happened. */
export function FirstSteps({
  steps,
  busy,
  onStep,
  onDismiss,
}: {
  steps: readonly FirstStep[];
  busy: boolean;
  onStep: (key: FirstStepKey) => void;
  onDismiss: () => void;
}) {
  const done = steps.filter((step) => step.done).length;
  const next = steps.find((step) => !step.done)?.key;
  return (
    <Card component="section" aria-label="First steps" py="sm">
      <Group justify="space-between" mb={6} wrap="nowrap">
        <Title order={2} size="h5">
          First steps{' '}
          <Text span size="xs" c="dimmed" fw={400}>
            {done} of {steps.length}
          </Text>
        </Title>
        <CloseButton size="sm" aria-label="Hide the first steps" onClick={onDismiss} />
      </Group>
      <Stack gap={8} component="ol" m={0} p={0} style={{ listStyle: 'none' }}>
        {steps.map((step) => (
          <Group
            key={step.key}
            component="li"
            gap="xs"
            wrap="nowrap"
            data-step={step.key}
            data-done={step.done}
          >
            {step.done ? (
              <IconCircleCheckFilled size={16} color="var(--tone-good)" aria-label="Done" />
            ) : (
              <IconCircleDashed size={16} color="var(--tone-neutral)" aria-label="Not done yet" />
            )}
            <div style={{ flex: 1, minWidth: 0 }}>
              <Text size="sm" fw={500} c={step.done ? 'dimmed' : undefined}>
                {step.title}
              </Text>
              {!step.done && (
                <Text size="xs" c="dimmed">
                  {step.what}
                </Text>
              )}
            </div>
            {!step.done && (
              <Button
                size="compact-xs"
                variant={step.key === next ? 'filled' : 'default'}
                disabled={busy}
                onClick={() => onStep(step.key)}
              >
                {ACTIONS[step.key]}
              </Button>
            )}
          </Group>
        ))}
      </Stack>
    </Card>
  );
}
