import { Badge, Button, Card, Code, Group, Stack, Text, Title } from '@mantine/core';
import { IconCoin, IconMessageQuestion, IconShieldQuestion, type TablerIcon } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type Ref, useId } from 'react';
import type { NeedsYouItem } from '#contract';
import { api } from '../lib/api.ts';
import { toApiError } from '../lib/api-error.ts';
import { formatBudget } from '../lib/format.ts';
import { NeedsYouAnswers } from './needs-you-answers.tsx';
import classes from './needs-you-card.module.css';
import { RelativeTime } from './relative-time.tsx';
import { toastError, toastSuccess } from './toast.tsx';
import { ToolParts } from './tool-parts.tsx';

const KINDS: Readonly<Record<NeedsYouItem['kind'], { label: string; icon: TablerIcon }>> = {
  permission: { label: 'Permission', icon: IconShieldQuestion },
  question: { label: 'Question', icon: IconMessageQuestion },
  budget: { label: 'Budget', icon: IconCoin },
};

export interface NeedsYouCardProps {
  ref?: Ref<HTMLElement>;
  item: NeedsYouItem;
  agentName: string;
  /** Where the item is not shown in its session. */
  withSession?: boolean;
  /** It is what the address leads to. */
  highlighted?: boolean;
  /** The user has answered it here: whoever shows the card says where the focus goes when it is gone. */
  onAnswered?: (item: NeedsYouItem) => void;
}

/** Something that waits for the user, with its answers; or that did, with how it ended. */
export function NeedsYouCard({
  ref,
  item,
  agentName,
  withSession = false,
  highlighted = false,
  onAnswered,
}: NeedsYouCardProps) {
  const titleId = useId();
  const { label, icon: Icon } = KINDS[item.kind];
  return (
    <Card
      {...(ref !== undefined && { ref: ref as Ref<HTMLDivElement> })}
      component="section"
      aria-labelledby={titleId}
      withBorder
      py="sm"
      flex="none"
      tabIndex={-1}
      className={classes.card ?? ''}
      data-needs-you={item.id}
      data-highlighted={highlighted || undefined}
    >
      <Stack gap="xs">
        <Group justify="space-between" wrap="nowrap" align="flex-start">
          <Group gap="xs" wrap="nowrap" align="flex-start" miw={0}>
            <Icon
              size={18}
              color="var(--tone-attention)"
              aria-hidden
              style={{ flex: 'none', marginTop: 2 }}
            />
            <div style={{ minWidth: 0 }}>
              <Title order={2} size="h5" id={titleId} style={{ overflowWrap: 'anywhere' }}>
                {item.title}
              </Title>
              <Text size="xs" c="dimmed" component="div" style={{ overflowWrap: 'anywhere' }}>
                {label} · {agentName} · asked <RelativeTime at={item.createdAt} size="xs" />
                {item.cwd !== undefined && (
                  <>
                    {' '}
                    · in <Code bg="transparent">{item.cwd}</Code>
                  </>
                )}
              </Text>
            </div>
          </Group>
          {withSession && (
            <Button
              size="compact-xs"
              variant="default"
              flex="none"
              renderRoot={(props) => <Link to="/sessions/$id" params={{ id: item.sessionId }} {...props} />}
            >
              Open session
            </Button>
          )}
        </Group>
        {item.detail !== '' && (
          <Text size="sm" style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
            {item.detail}
          </Text>
        )}
        {item.toolCall !== undefined && <ToolParts call={item.toolCall} />}
        {item.state === 'waiting' ? <Answer item={item} onAnswered={onAnswered} /> : <Settled item={item} />}
      </Stack>
    </Card>
  );
}

const LATE = ['needs_you.already_answered', 'needs_you.withdrawn'];

function Answer({ item, onAnswered }: { item: NeedsYouItem; onAnswered: NeedsYouCardProps['onAnswered'] }) {
  const queries = useQueryClient();
  const answer = useMutation({
    ...api.needsYou.answer.mutationOptions(),
    onSuccess: (answered) => {
      toastSuccess(
        answered.kind === 'question' ? 'Your answer is on its way' : `Answered: ${answerInWords(answered)}`,
      );
      onAnswered?.(answered);
    },
    onError: (error) => {
      const isLate = LATE.includes(toApiError(error).code);
      toastError(error, isLate ? 'Your answer came too late' : 'The answer was not taken');
    },
    onSettled: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: api.needsYou.key() }),
        queries.invalidateQueries({ queryKey: api.sessions.key() }),
      ]),
  });
  // Between the answer and the list without it there is nothing left to be clicked.
  const isOver = answer.isPending || answer.isSuccess;
  return <NeedsYouAnswers item={item} pending={isOver} onAnswer={answer.mutate} />;
}

function Settled({ item }: { item: NeedsYouItem }) {
  return (
    <Group gap="xs">
      <Badge variant="light" color="gray" tt="none">
        {item.state === 'answered' ? answerInWords(item) : 'Withdrawn'}
      </Badge>
      <Text size="sm" c="dimmed" component="div">
        {item.state === 'answered' && item.answer !== undefined ? (
          <>
            by {item.answer.by === 'user' ? 'you' : 'a rule of yours'} <RelativeTime at={item.answer.at} />
          </>
        ) : (
          item.withdrawnBecause
        )}
      </Text>
    </Group>
  );
}

function answerInWords({ answer, options, budget, kind }: NeedsYouItem): string {
  if (kind === 'question' && answer?.optionId === 'accept') return 'Answered';
  if (answer?.raiseTo !== undefined && budget !== undefined) {
    return `Raised to ${formatBudget(answer.raiseTo, budget.unit)}`;
  }
  return options.find(({ id }) => id === answer?.optionId)?.name ?? answer?.optionId ?? '';
}
