import {
  Badge,
  Button,
  Card,
  Checkbox,
  Group,
  NumberInput,
  Select,
  Stack,
  Text,
  TextInput,
  Title,
} from '@mantine/core';
import { IconCoin, IconMessageQuestion, IconShieldQuestion, type TablerIcon } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type FormEvent, type ReactNode, useId, useState } from 'react';
import type { NeedsYouItem, NeedsYouOption, QuestionField } from '#contract';
import { api } from '../lib/api.ts';
import { toApiError } from '../lib/api-error.ts';
import { formatBudget } from '../lib/format.ts';
import { RelativeTime } from './relative-time.tsx';
import { toastError, toastSuccess } from './toast.tsx';
import { ToolParts } from './tool-parts.tsx';

const KINDS: Readonly<Record<NeedsYouItem['kind'], { label: string; icon: TablerIcon }>> = {
  permission: { label: 'Permission', icon: IconShieldQuestion },
  question: { label: 'Question', icon: IconMessageQuestion },
  budget: { label: 'Budget', icon: IconCoin },
};

/** By how much "Raise to" goes over the old limit at first. */
const RAISE_FACTOR = 1.5;

export interface NeedsYouCardProps {
  item: NeedsYouItem;
  agentName: string;
  /** Where the item is not shown in its session. */
  withSession?: boolean;
}

/** Something that waits for the user, with its answers. */
export function NeedsYouCard({ item, agentName, withSession = false }: NeedsYouCardProps) {
  const titleId = useId();
  const { label, icon: Icon } = KINDS[item.kind];
  return (
    <Card component="section" aria-labelledby={titleId} withBorder data-needs-you={item.id} py="sm">
      <Stack gap="xs">
        <Group justify="space-between" wrap="nowrap" align="flex-start">
          <Group gap="xs" wrap="nowrap" align="flex-start">
            <Icon
              size={18}
              color="var(--tone-attention)"
              aria-hidden
              style={{ flex: 'none', marginTop: 2 }}
            />
            <div>
              <Title order={2} size="h5" id={titleId} style={{ overflowWrap: 'anywhere' }}>
                {item.title}
              </Title>
              <Text size="xs" c="dimmed" component="div">
                {label} · {agentName} · asked <RelativeTime at={item.createdAt} />
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
        {item.state === 'waiting' ? <Answer item={item} /> : <Settled item={item} />}
      </Stack>
    </Card>
  );
}

function Answer({ item }: { item: NeedsYouItem }) {
  const queries = useQueryClient();
  const { mutate, isPending } = useMutation({
    ...api.needsYou.answer.mutationOptions(),
    onSuccess: (answered) => toastSuccess(`Answered: ${answerInWords(answered)}`),
    onError: (error) => {
      const late = ['needs_you.already_answered', 'needs_you.withdrawn'].includes(toApiError(error).code);
      toastError(error, late ? 'Your answer came too late' : 'The answer was not taken');
    },
    onSettled: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: api.needsYou.key() }),
        queries.invalidateQueries({ queryKey: api.sessions.key() }),
      ]),
  });
  switch (item.kind) {
    case 'permission':
      return <PermissionAnswer item={item} pending={isPending} onAnswer={mutate} />;
    case 'budget':
      return <BudgetAnswer item={item} pending={isPending} onAnswer={mutate} />;
    case 'question':
      return <QuestionAnswer item={item} pending={isPending} onAnswer={mutate} />;
  }
}

interface AnswerProps {
  item: NeedsYouItem;
  pending: boolean;
  onAnswer: (answer: {
    id: string;
    optionId: string;
    remember?: boolean;
    raiseTo?: number;
    values?: Record<string, string | number | boolean>;
  }) => void;
}

const isAllowing = ({ kind }: NeedsYouOption) => kind === 'allow_once' || kind === 'allow_always';

function PermissionAnswer({ item, pending, onAnswer }: AnswerProps) {
  const [remember, setRemember] = useState(false);
  const kind = item.toolCall?.kind;
  const firstAllowing = item.options.find(isAllowing)?.id;
  return (
    <Group justify="space-between" gap="xs">
      {kind === undefined ? (
        <span />
      ) : (
        <Checkbox
          size="xs"
          checked={remember}
          onChange={(event) => setRemember(event.currentTarget.checked)}
          label={`Always answer “${kind}” of this agent like this in this folder`}
        />
      )}
      <Group gap="xs">
        {item.options.map((option) => (
          <Button
            key={option.id}
            size="xs"
            variant={option.id === firstAllowing ? 'filled' : isAllowing(option) ? 'light' : 'default'}
            disabled={pending}
            onClick={() => onAnswer({ id: item.id, optionId: option.id, remember })}
          >
            {option.name}
          </Button>
        ))}
      </Group>
    </Group>
  );
}

function BudgetAnswer({ item, pending, onAnswer }: AnswerProps) {
  const { budget } = item;
  const [raiseTo, setRaiseTo] = useState<number | string>(
    budget === undefined ? '' : Math.ceil(Math.max(budget.limit, budget.used) * RAISE_FACTOR * 100) / 100,
  );
  const isEnough = budget === undefined || (typeof raiseTo === 'number' && raiseTo > budget.used);
  return (
    <Group gap="xs" align="flex-end" justify="flex-end">
      {budget !== undefined && (
        <Text size="sm" c="dimmed" mr="auto">
          {formatBudget(budget.used, budget.unit)} of {formatBudget(budget.limit, budget.unit)} used
        </Text>
      )}
      {item.options.map((option) =>
        option.kind === 'raise' ? (
          <Group key={option.id} gap={6} align="flex-end" wrap="nowrap">
            <NumberInput
              size="xs"
              w={130}
              aria-label="New limit"
              value={raiseTo}
              onChange={setRaiseTo}
              min={0}
              {...(budget?.unit === 'money' ? { prefix: '$', decimalScale: 2 } : {})}
              {...(budget?.unit === 'minutes' ? { suffix: ' min' } : {})}
              error={isEnough ? undefined : 'more than was used'}
            />
            <Button
              size="xs"
              disabled={pending || !isEnough}
              onClick={() =>
                onAnswer({
                  id: item.id,
                  optionId: option.id,
                  ...(typeof raiseTo === 'number' ? { raiseTo } : {}),
                })
              }
            >
              {option.name}
            </Button>
          </Group>
        ) : (
          <Button
            key={option.id}
            size="xs"
            variant="default"
            disabled={pending}
            onClick={() => onAnswer({ id: item.id, optionId: option.id })}
          >
            {option.name}
          </Button>
        ),
      )}
    </Group>
  );
}

function QuestionAnswer({ item, pending, onAnswer }: AnswerProps) {
  const fields = item.fields ?? [];
  const [values, setValues] = useState<Record<string, string | number | boolean>>(() =>
    Object.fromEntries(fields.filter(({ type }) => type === 'boolean').map(({ name }) => [name, false])),
  );
  const missing = fields.some(({ name, required }) => required && (values[name] ?? '') === '');
  const accept = item.options[0];
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (accept !== undefined && !missing) onAnswer({ id: item.id, optionId: accept.id, values });
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="xs">
        {fields.map((field) => (
          <Field
            key={field.name}
            field={field}
            value={values[field.name]}
            onChange={(value) => setValues((before) => ({ ...before, [field.name]: value }))}
          />
        ))}
        <Group justify="flex-end" gap="xs">
          {item.options.slice(1).map((option) => (
            <Button
              key={option.id}
              size="xs"
              variant="default"
              disabled={pending}
              onClick={() => onAnswer({ id: item.id, optionId: option.id })}
            >
              {option.name}
            </Button>
          ))}
          {accept !== undefined && (
            <Button size="xs" type="submit" disabled={pending || missing}>
              {accept.name}
            </Button>
          )}
        </Group>
      </Stack>
    </form>
  );
}

function Field({
  field,
  value,
  onChange,
}: {
  field: QuestionField;
  value: string | number | boolean | undefined;
  onChange: (value: string | number | boolean) => void;
}): ReactNode {
  const common = { label: field.title, description: field.description, required: field.required, size: 'xs' };
  switch (field.type) {
    case 'boolean':
      return (
        <Checkbox
          size="xs"
          label={field.title}
          description={field.description}
          checked={value === true}
          onChange={(event) => onChange(event.currentTarget.checked)}
        />
      );
    case 'number':
    case 'integer':
      return (
        <NumberInput
          {...common}
          value={typeof value === 'number' ? value : ''}
          allowDecimal={field.type === 'number'}
          onChange={onChange}
        />
      );
    case 'choice':
      return (
        <Select
          {...common}
          data={(field.choices ?? []).map((choice) => ({ value: choice.value, label: choice.title }))}
          value={typeof value === 'string' ? value : null}
          onChange={(chosen) => onChange(chosen ?? '')}
        />
      );
    case 'text':
      return (
        <TextInput
          {...common}
          value={typeof value === 'string' ? value : ''}
          onChange={(event) => onChange(event.currentTarget.value)}
        />
      );
  }
}

function Settled({ item }: { item: NeedsYouItem }) {
  return (
    <Group gap="xs">
      <Badge variant="light" color="gray" tt="none">
        {item.state === 'answered' ? answerInWords(item) : 'Withdrawn'}
      </Badge>
      <Text size="sm" c="dimmed">
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

function answerInWords(item: NeedsYouItem): string {
  return item.options.find(({ id }) => id === item.answer?.optionId)?.name ?? item.answer?.optionId ?? '';
}
