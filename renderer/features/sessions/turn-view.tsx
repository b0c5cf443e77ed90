import { Alert, Anchor, Box, Button, Code, Group, Loader, Paper, Stack, Text, Tooltip } from '@mantine/core';
import { IconAlertOctagon, IconBan, IconCircleHalf2, IconRotateClockwise } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { memo, type ReactNode, useState } from 'react';
import type { Turn } from '#contract';
import { CopyButton } from '../../components/copy.tsx';
import { CopyText } from '../../components/copy-text.tsx';
import { LongText } from '../../components/long-text.tsx';
import { RelativeTime } from '../../components/relative-time.tsx';
import { formatCost, formatDuration, formatNumber } from '../../lib/format.ts';
import { Attachments } from './attachments.tsx';
import { MessageView } from './message-view.tsx';
import { answerOf, promptOf, type TurnBlock } from './turn-blocks.ts';
import { interruptionInWords, turnAdvice } from './turn-error.ts';
import classes from './turn-view.module.css';

/** Entries of one turn that are drawn at first: a flood of tool calls would hold up the page. */
const ENTRIES_AT_FIRST = 200;

export interface TurnViewProps {
  block: TurnBlock;
  /** Its place in the session, from 1. */
  number: number;
  agentName: string;
  /** The turn waits for the user: an item of it is in "Needs you". */
  waitsForYou: boolean;
  /** Sends the same prompt again; not there where another turn came after, or where nothing can be sent. */
  onSendAgain: ((block: TurnBlock) => void) | undefined;
}

/** A prompt and all that answers it. */
export const TurnView = memo(function TurnView({
  block,
  number,
  agentName,
  waitsForYou,
  onSendAgain,
}: TurnViewProps) {
  const { turn, prompts } = block;
  const prompt = promptOf(block);
  return (
    <article aria-label={`Turn ${number}`} className={classes.turn} data-state={turn?.state}>
      <Stack gap="sm" className={classes.body}>
        {prompts.length > 0 && (
          <Paper
            className={classes.prompt}
            component="section"
            aria-label={`Prompt of turn ${number}`}
            px="sm"
            py="xs"
            radius="md"
          >
            <Group justify="space-between" gap="xs" wrap="nowrap" mb={2}>
              <Group gap="xs">
                <Text size="xs" fw={600}>
                  You
                </Text>
                <RelativeTime at={prompts[0]?.createdAt ?? 0} size="xs" c="dimmed" />
              </Group>
              <CopyText label="Copy prompt" text={() => prompt} />
            </Group>
            <LongText text={prompt} />
            {prompts.map((message) => (
              <Attachments key={message.id} sessionId={turn?.sessionId} attachments={message.attachments} />
            ))}
          </Paper>
        )}
        <section aria-label={`Answer of turn ${number}`}>
          <Stack gap="xs">
            {block.entries.length > 0 && (
              <Group justify="space-between" gap="xs">
                <Text size="xs" fw={600}>
                  {agentName}
                </Text>
                <CopyText label="Copy answer" text={() => answerOf(block)} />
              </Group>
            )}
            <Entries block={block} />
            <Outcome
              block={block}
              waitsForYou={waitsForYou}
              onSendAgain={onSendAgain && (() => onSendAgain(block))}
            />
          </Stack>
        </section>
      </Stack>
      {turn !== undefined && <Figures turn={turn} />}
    </article>
  );
});

function Entries({ block }: { block: TurnBlock }) {
  const [all, setAll] = useState(false);
  const isOver = block.turn !== undefined && block.turn.state !== 'running';
  const hidden = all ? 0 : Math.max(0, block.entries.length - ENTRIES_AT_FIRST);
  return (
    <>
      {hidden > 0 && (
        <Anchor component="button" type="button" size="sm" onClick={() => setAll(true)}>
          Show {formatNumber(hidden)} earlier entries of this turn
        </Anchor>
      )}
      {block.entries.slice(hidden).map((message) => (
        <MessageView key={message.id} message={message} isOver={isOver} />
      ))}
    </>
  );
}

/** How the turn ended, if not as it should, and what can be done. */
function Outcome({
  block,
  waitsForYou,
  onSendAgain,
}: {
  block: TurnBlock;
  waitsForYou: boolean;
  onSendAgain: (() => void) | undefined;
}) {
  const { turn } = block;
  if (turn === undefined) return null;
  switch (turn.state) {
    case 'completed':
      return block.entries.length === 0 ? (
        <Text size="sm" c="dimmed">
          The agent ended the turn without an answer.
        </Text>
      ) : null;
    case 'running':
      return (
        <Group gap="xs" c="dimmed">
          <Loader size="xs" type="dots" color="gray" aria-hidden />
          <Text size="sm">{runningInWords(block, waitsForYou)}</Text>
        </Group>
      );
    case 'cancelled':
      return (
        <Group gap="xs" justify="space-between">
          <Group gap={6} c="dimmed" wrap="nowrap">
            <IconBan size={16} aria-hidden style={{ flex: 'none' }} />
            <Text size="sm">
              {turn.error === undefined ? 'Cancelled' : `Cancelled. ${turn.error.message}`}
            </Text>
          </Group>
          {onSendAgain !== undefined && <SendAgain onClick={onSendAgain} />}
        </Group>
      );
    case 'interrupted': {
      const { title, text } = interruptionInWords(turn);
      return (
        <Problem
          color="violet"
          icon={<IconCircleHalf2 />}
          title={title}
          text={text}
          code={turn.error?.code}
          turn={turn}
        >
          {onSendAgain !== undefined && <SendAgain onClick={onSendAgain} />}
        </Problem>
      );
    }
    case 'failed': {
      const error = turn.error ?? { code: 'agent.failed', message: 'The agent gave no reason.' };
      const advice = turnAdvice(error);
      return (
        <Problem
          color="red"
          icon={<IconAlertOctagon />}
          title={advice.title}
          text={error.message}
          advice={advice.action}
          code={error.code}
          turn={turn}
        >
          {onSendAgain !== undefined && advice.again && <SendAgain onClick={onSendAgain} />}
          {advice.link !== undefined && (
            <Button component={Link} to={advice.link.to} size="xs" variant="default">
              {advice.link.label}
            </Button>
          )}
        </Problem>
      );
    }
  }
}

function runningInWords(block: TurnBlock, waitsForYou: boolean): string {
  if (waitsForYou) return 'Waiting for you';
  return block.entries.length === 0 ? 'Waiting for the agent' : 'Answering';
}

function SendAgain({ onClick }: { onClick: () => void }) {
  return (
    <Button size="xs" variant="default" leftSection={<IconRotateClockwise size={14} />} onClick={onClick}>
      Send again
    </Button>
  );
}

function Problem({
  color,
  icon,
  title,
  text,
  advice,
  code,
  turn,
  children,
}: {
  color: string;
  icon: ReactNode;
  title: string;
  text: string;
  advice?: string;
  code: string | undefined;
  turn: Turn;
  children: ReactNode;
}) {
  return (
    <Alert color={color} variant="light" icon={icon} title={title} {...(code && { 'data-error-code': code })}>
      <Stack gap="xs">
        <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
          {text}
        </Text>
        {advice !== undefined && <Text size="sm">{advice}</Text>}
        <Group gap="xs">
          {children}
          <Group gap={4} ml="auto" wrap="nowrap">
            {code !== undefined && <Code bg="transparent">{code}</Code>}
            <CopyButton value={turn.correlationId} label="Copy correlation id" />
          </Group>
        </Group>
      </Stack>
    </Alert>
  );
}

/** How a process that did not see the earlier turns came to know of them. */
const KNOWN_BY: Readonly<Partial<Record<NonNullable<Turn['knownBy']>, { label: string; meaning: string }>>> =
  {
    resumed: {
      label: 'resumed',
      meaning: 'The agent took the session up again where it was (session/resume).',
    },
    loaded: { label: 'loaded', meaning: 'The agent loaded the session from its own store (session/load).' },
    primed: { label: 'primed', meaning: 'A new process was told the last turns before the prompt.' },
  };

/** Tokens and time of the turn, on the right. */
function Figures({ turn }: { turn: Turn }) {
  const duration = turn.endedAt === undefined ? undefined : turn.endedAt - turn.startedAt;
  return (
    <Box className={classes.figures}>
      {turn.usage !== undefined && (
        <Tooltip label="Tokens that the turn used, as the agent told">
          <Text size="xs" c="dimmed">
            {formatNumber(turn.usage.inputTokens)} in · {formatNumber(turn.usage.outputTokens)} out
          </Text>
        </Tooltip>
      )}
      {turn.usage?.cost !== undefined && (
        <Tooltip
          label={
            turn.usage.cost.estimated
              ? 'Estimated by the price table'
              : 'What the turn cost, as the agent told'
          }
        >
          <Text size="xs" c="dimmed">
            {turn.usage.cost.estimated ? '≈ ' : ''}
            {formatCost(turn.usage.cost)}
          </Text>
        </Tooltip>
      )}
      {turn.resentFrom !== undefined && (
        <Text size="xs" c="dimmed">
          sent again
        </Text>
      )}
      {turn.knownBy !== undefined && KNOWN_BY[turn.knownBy] !== undefined && (
        <Tooltip label={KNOWN_BY[turn.knownBy]?.meaning} multiline maw={300}>
          <Text size="xs" c="dimmed">
            {KNOWN_BY[turn.knownBy]?.label}
          </Text>
        </Tooltip>
      )}
      {duration !== undefined && (
        <Text size="xs" c="dimmed">
          {formatDuration(duration)}
        </Text>
      )}
    </Box>
  );
}
