import { Group, Text } from '@mantine/core';
import { IconBrain, IconListCheck, IconPuzzle, IconTool } from '@tabler/icons-react';
import { lazy, memo, Suspense, useDeferredValue } from 'react';
import type { Message } from '#contract';
import { LongText, SHOWN_AT_FIRST } from '../../components/long-text.tsx';
import { Output } from '../../components/output.tsx';
import { StatusBadge } from '../../components/status-badge.tsx';
import type { StatusKind } from '../../components/status-vocabulary.ts';
import { ToolParts } from '../../components/tool-parts.tsx';
import { ContentView } from './content-view.tsx';
import { Disclosure } from './disclosure.tsx';
import { PlanView, planInWords } from './plan-view.tsx';

/** Markdown is the largest part of the page's code: it comes when the first answer is shown. */
const Markdown = lazy(() => import('./markdown.tsx').then((module) => ({ default: module.Markdown })));

/** One entry of what an agent said or did. */
export const MessageView = memo(function MessageView({
  message,
  isOver,
}: {
  message: Message;
  /** Its turn has ended: nothing more comes. */
  isOver: boolean;
}) {
  switch (message.kind) {
    case 'text':
      return <AnswerText message={message} />;
    case 'thought':
      return (
        <Disclosure
          icon={<IconBrain size={16} aria-hidden />}
          label={
            <Text size="sm" c="dimmed">
              {message.complete || isOver ? 'Thought' : 'Thinking…'}
            </Text>
          }
        >
          {() => <LongText text={message.text} />}
        </Disclosure>
      );
    case 'tool_call':
      return <ToolCallView message={message} isOver={isOver} />;
    case 'plan':
      return (
        <Disclosure
          icon={<IconListCheck size={16} aria-hidden />}
          label={<Text size="sm">{planInWords(message)}</Text>}
        >
          {() => <PlanView message={message} />}
        </Disclosure>
      );
    case 'content':
      return <ContentView message={message} />;
    case 'raw':
      return (
        <Disclosure
          icon={<IconPuzzle size={16} aria-hidden />}
          label={
            <Text size="sm" c="dimmed">
              Update of a kind that this version does not know
            </Text>
          }
        >
          {() => <Output text={JSON.stringify(message.raw, null, 2) ?? ''} label="Copy update" />}
        </Disclosure>
      );
  }
});

function AnswerText({ message }: { message: Message }) {
  // While text streams in, laying it out may lag behind rather than hold up the typing.
  const text = useDeferredValue(message.text);
  // Markdown of this length would take seconds to lay out; as it is, it can be read at once.
  if (text.length > SHOWN_AT_FIRST) return <LongText text={text} />;
  return (
    <Suspense fallback={<LongText text={text} />}>
      <Markdown text={text} />
    </Suspense>
  );
}

function ToolCallView({ message, isOver }: { message: Message; isOver: boolean }) {
  const call = message.toolCall;
  const status = call?.status ?? 'pending';
  const isCutOff = isOver && (status === 'pending' || status === 'in_progress');
  const title = call?.title ?? message.text;
  return (
    <Disclosure
      icon={<IconTool size={16} aria-hidden />}
      label={
        <Group gap="xs" wrap="nowrap">
          <Text size="sm" truncate title={title} c="var(--mantine-color-text)">
            {title}
          </Text>
          {call?.kind !== undefined && (
            <Text size="xs" c="dimmed">
              {call.kind}
            </Text>
          )}
          <StatusBadge {...(isCutOff ? CUT_OFF : TOOL_STATUS[status])} size="xs" />
        </Group>
      }
    >
      {() =>
        call === undefined ? (
          <Text size="sm" c="dimmed">
            No output
          </Text>
        ) : (
          <ToolParts call={call} />
        )
      }
    </Disclosure>
  );
}

type ToolCallStatus = NonNullable<Message['toolCall']>['status'];

/** The agent never told how the call ended, and will not any more. */
const CUT_OFF = { status: 'interrupted', label: 'Not finished' } satisfies {
  status: StatusKind;
  label: string;
};

/** The states of a tool call in the one vocabulary of the console. */
const TOOL_STATUS: Record<ToolCallStatus, { status: StatusKind; label: string }> = {
  pending: { status: 'unknown', label: 'Waiting' },
  in_progress: { status: 'running', label: 'Running' },
  completed: { status: 'completed', label: 'Done' },
  failed: { status: 'failed', label: 'Failed' },
};
