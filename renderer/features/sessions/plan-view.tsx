import { Group, List, Text } from '@mantine/core';
import { IconCircle, IconCircleCheckFilled, IconProgress } from '@tabler/icons-react';
import type { Message } from '#contract';
import { LongText } from '../../components/long-text.tsx';

const MARKS = {
  completed: { icon: <IconCircleCheckFilled size={16} color="var(--tone-good)" aria-label="Done" /> },
  in_progress: { icon: <IconProgress size={16} color="var(--tone-active)" aria-label="Under way" /> },
  pending: { icon: <IconCircle size={16} color="var(--tone-neutral)" aria-label="To do" /> },
};

/** The steps of a plan, with how far each is. */
export function PlanView({ message }: { message: Message }) {
  if (message.plan === undefined) return <LongText text={message.text} />;
  return (
    <List listStyleType="none" spacing={4}>
      {message.plan.map(({ content, status, priority }, index) => (
        <List.Item
          // biome-ignore lint/suspicious/noArrayIndexKey: a plan is told anew as a whole; its steps have no ids
          key={index}
          icon={(MARKS[status as keyof typeof MARKS] ?? MARKS.pending).icon}
        >
          <Group gap="xs">
            <Text size="sm" c={status === 'completed' ? 'dimmed' : undefined}>
              {content}
            </Text>
            {priority === 'high' && (
              <Text size="xs" c="var(--tone-warning)">
                high
              </Text>
            )}
          </Group>
        </List.Item>
      ))}
    </List>
  );
}

/** How far a plan is: "Plan · 2 of 5 done". */
export function planInWords({ plan }: Message): string {
  if (plan === undefined) return 'Plan';
  const done = plan.filter(({ status }) => status === 'completed').length;
  return `Plan · ${done} of ${plan.length} done`;
}
