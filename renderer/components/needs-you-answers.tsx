import { Button, Checkbox, Group, NumberInput, Select, Stack, Text, TextInput } from '@mantine/core';
import { type FormEvent, type ReactNode, useState } from 'react';
import { type NeedsYouItem, type NeedsYouOption, type QuestionField, suggestedRaise } from '#contract';
import { formatBudget } from '../lib/format.ts';
import { type FieldValue, isFilledIn, numberOf, valuesToSend } from './question-form.ts';

/** An answer as it is sent. */
export interface NeedsYouReply {
  id: string;
  optionId: string;
  remember?: boolean;
  raiseTo?: number;
  values?: Record<string, FieldValue>;
}

interface AnswerProps {
  item: NeedsYouItem;
  /** An answer is on its way. */
  pending: boolean;
  onAnswer: (reply: NeedsYouReply) => void;
}

/** The ways to answer an item that waits. */
export function NeedsYouAnswers(props: AnswerProps) {
  switch (props.item.kind) {
    case 'permission':
      return <PermissionAnswer {...props} />;
    case 'budget':
      return <BudgetAnswer {...props} />;
    case 'question':
      return <QuestionAnswer {...props} />;
  }
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
      <Group gap="xs" ml="auto" justify="flex-end">
        {item.options.map((option) => (
          <Button
            key={option.id}
            size="xs"
            maw="100%"
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
  const [typed, setTyped] = useState<number | string>(budget === undefined ? '' : suggestedRaise(budget));
  const raiseTo = numberOf(typed);
  const isEnough = budget !== undefined && raiseTo !== undefined && raiseTo > budget.used;
  return (
    <Group gap="xs" align="flex-start" justify="flex-end">
      {item.options.map((option) =>
        option.kind === 'raise' && budget !== undefined ? (
          <form
            key={option.id}
            onSubmit={(event) => {
              event.preventDefault();
              if (isEnough && !pending) onAnswer({ id: item.id, optionId: option.id, raiseTo });
            }}
          >
            <Group gap={6} align="flex-start" wrap="nowrap">
              <NumberInput
                size="xs"
                w={150}
                aria-label="New limit"
                value={typed}
                onChange={setTyped}
                min={0}
                thousandSeparator=","
                hideControls
                {...(budget.unit === 'money' ? { prefix: '$', decimalScale: 2 } : {})}
                {...(budget.unit === 'minutes' ? { suffix: ' min', decimalScale: 1 } : {})}
                {...(budget.unit === 'tokens' ? { suffix: ' tokens', allowDecimal: false } : {})}
                error={isEnough ? undefined : `more than ${formatBudget(budget.used, budget.unit)}`}
              />
              <Button size="xs" type="submit" disabled={pending || !isEnough}>
                {isEnough ? `Raise to ${formatBudget(raiseTo, budget.unit)}` : 'Raise'}
              </Button>
            </Group>
          </form>
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
  const [values, setValues] = useState<Readonly<Record<string, FieldValue>>>({});
  const missing = fields.filter((field) => field.required && !isFilledIn(field, values[field.name]));
  const accept = item.options[0];
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (accept === undefined || missing.length > 0 || pending) return;
    onAnswer({ id: item.id, optionId: accept.id, values: valuesToSend(fields, values) });
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
          {missing.length > 0 && (
            <Text size="xs" c="dimmed">
              Still needed: {missing.map(({ title }) => title).join(', ')}
            </Text>
          )}
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
            <Button size="xs" type="submit" disabled={pending || missing.length > 0}>
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
  value: FieldValue | undefined;
  onChange: (value: FieldValue) => void;
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
          maw={240}
          value={typeof value === 'boolean' ? '' : (value ?? '')}
          allowDecimal={field.type === 'number'}
          onChange={onChange}
        />
      );
    case 'choice':
      return (
        <Select
          {...common}
          maw={360}
          data={(field.choices ?? []).map((choice) => ({ value: choice.value, label: choice.title }))}
          value={typeof value === 'string' && value !== '' ? value : null}
          clearable={!field.required}
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
