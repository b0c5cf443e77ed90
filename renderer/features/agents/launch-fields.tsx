import { Code, Group, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api } from '../../lib/api.ts';
import type { AgentFields } from './agent-form.ts';
import { shellHint, splitCommandLine } from './command-line.ts';
import { errorAt } from './field-errors.ts';
import type { AgentForm } from './use-agent-form.ts';
import { VariablesEditor } from './variables-editor.tsx';

/** How an agent is launched: of a command its line, folder and environment; of the built-in chat its model. */
export function LaunchFields({ form }: { form: AgentForm }) {
  const { fields, errors, change } = form;
  if (fields.kind === 'chat') return <ModelField form={form} />;
  if (fields.kind === 'echo') return null;
  return (
    <>
      <CommandLineField
        label="Command line"
        description="A program that speaks the Agent Client Protocol on its standard input and output: its absolute path or its name on the PATH of your shell, and its arguments."
        required
        placeholder="npx -y @scope/my-agent --acp"
        value={fields.command}
        error={errorAt(errors, 'launch.command', 'launch.args')}
        onChange={(command) => change({ command }, 'launch.command', 'launch.args')}
      />
      <TextInput
        label="Working folder"
        placeholder="Your home folder"
        description="An absolute path."
        spellCheck={false}
        value={fields.cwd}
        error={errorAt(errors, 'launch.cwd')}
        onChange={(event) => change({ cwd: event.currentTarget.value }, 'launch.cwd')}
      />
      <VariablesEditor
        label="Environment"
        description="Beside what your login shell sets. Keys and passwords belong into a secret."
        noun="variable"
        path="launch.env"
        rows={fields.env}
        errors={errors}
        onChange={(env, ...paths) => change({ env }, ...paths)}
      />
    </>
  );
}

/** A command with its arguments in one line, and below it how it is understood. */
export function CommandLineField({
  label,
  description,
  placeholder,
  required = false,
  value,
  error,
  onChange,
}: {
  label: string;
  description?: string;
  placeholder?: string;
  required?: boolean;
  value: string;
  error: string | undefined;
  onChange: (line: string) => void;
}) {
  return (
    <Stack gap={4}>
      <Textarea
        size="xs"
        label={label}
        description={description}
        required={required}
        placeholder={placeholder}
        autosize
        minRows={1}
        maxRows={6}
        spellCheck={false}
        styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
        value={value}
        error={error}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
      <Understood line={value} />
    </Stack>
  );
}

function Understood({ line }: { line: string }) {
  const result = splitCommandLine(line);
  if ('error' in result || result.words.length < 2) return null;
  const [command, ...args] = result.words;
  const hint = shellHint(result.words);
  return (
    <>
      <Group gap={4} wrap="wrap" role="note" aria-label="How the line is understood">
        <Text size="xs" c="dimmed">
          Runs
        </Text>
        <Code>{command}</Code>
        <Text size="xs" c="dimmed">
          with
        </Text>
        {args.map((argument, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: an argument is its place in the line.
          <Code key={index} style={{ overflowWrap: 'anywhere', whiteSpace: 'pre-wrap' }}>
            {argument === '' ? '(empty)' : argument}
          </Code>
        ))}
      </Group>
      {hint !== undefined && (
        <Text size="xs" c="var(--tone-warning)">
          {hint}
        </Text>
      )}
    </>
  );
}

function ModelField({ form: { fields, errors, change } }: { form: AgentForm }) {
  const { data } = useQuery(api.status.get.queryOptions());
  const set = (part: Pick<AgentFields, 'model'>): void => change(part, 'model');
  return (
    <Stack gap={4}>
      <TextInput
        label="Model"
        required
        placeholder="openai/gpt-5-mini"
        spellCheck={false}
        value={fields.model}
        error={errorAt(errors, 'model')}
        onChange={(event) => set({ model: event.currentTarget.value })}
      />
      {data?.providers.map((provider) => (
        <Text key={provider.setting} size="xs" c="dimmed">
          <b>{provider.name}</b>: {provider.configured ? 'set up' : `set ${provider.setting} to use it`}
        </Text>
      ))}
    </Stack>
  );
}
