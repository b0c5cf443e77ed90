import { Alert, Button, Checkbox, Group, Stack, Text, TextInput } from '@mantine/core';
import { IconInfoCircle, IconPlayerPlay } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useBlocker } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import type { Agent } from '#contract';
import { confirm } from '../../components/confirm.tsx';
import { ShortId } from '../../components/copy.tsx';
import { ErrorCard } from '../../components/error-card.tsx';
import { toastSuccess } from '../../components/toast.tsx';
import { api, client } from '../../lib/api.ts';
import { toApiError } from '../../lib/api-error.ts';
import { formatCount, formatIso } from '../../lib/format.ts';
import {
  type AgentDraft,
  changesOf,
  differ,
  draftOfFields,
  fieldsOfAgent,
  testOfFields,
} from './agent-form.ts';
import classes from './configuration-tab.module.css';
import { Facts, Section } from './facts.tsx';
import { errorAt, errorsOfAnswer } from './field-errors.ts';
import { CommandLineField, LaunchFields } from './launch-fields.tsx';
import { LimitsEditor } from './limits-editor.tsx';
import { PermissionPolicies } from './permission-policies.tsx';
import { ServersEditor } from './servers-editor.tsx';
import { TestResult } from './test-result.tsx';
import { useAgentForm } from './use-agent-form.ts';
import { useAgentTest } from './use-agent-test.ts';

/** Changes of these replace the process of the agent. */
const NEEDS_RESTART: readonly (keyof AgentDraft)[] = ['launch', 'model', 'mcpServers'];

interface Saving {
  readonly changes: Partial<AgentDraft>;
  readonly expectedVersion: number;
}

/** The configuration of an agent, to be read and to be changed. */
export function ConfigurationTab({ agent }: { agent: Agent }) {
  const queries = useQueryClient();
  const test = useAgentTest();
  /** What the fields were filled with. After a save it is newer than `agent` until that was read again. */
  const [base, setBase] = useState(() => ({ agent, fields: fieldsOfAgent(agent) }));
  const form = useAgentForm(() => base.fields, test.reset);
  const { fields, errors, change } = form;
  const dirty = differ(fields, base.fields);
  // Somebody else has changed it: what is unsaved here stays until the user has chosen.
  const outdated = agent.version > base.agent.version;

  const rebase = (on: Agent): void => {
    const next = { agent: on, fields: fieldsOfAgent(on) };
    setBase(next);
    form.reset(next.fields);
  };
  if (outdated && !dirty) rebase(agent);

  const save = useMutation({
    mutationFn: ({ changes, expectedVersion }: Saving) =>
      client.agents.update({ id: agent.id, ...changes, expectedVersion }),
    onSuccess: (saved) => {
      rebase(saved);
      toastSuccess(`The configuration of ${saved.name} is saved`);
    },
    onError: (error) => form.setErrors(isConflict(error) ? {} : errorsOfAnswer(error)),
    onSettled: () => queries.invalidateQueries({ queryKey: api.agents.key() }),
  });

  /** Makes `on` what the fields say; refused when it is not what is there. */
  const saveOver = async (on: Agent): Promise<void> => {
    const result = draftOfFields(fields);
    if ('errors' in result) {
      form.setErrors(result.errors);
      return;
    }
    const changes = changesOf(on, result.draft);
    if (Object.keys(changes).length === 0) rebase(on);
    else if (await confirmInterruption(agent, changes)) {
      save.mutate({ changes, expectedVersion: on.version });
    }
  };
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    void saveOver(base.agent);
  };
  const runTest = (): void => {
    const result = testOfFields(fields);
    if ('errors' in result) form.setErrors(result.errors);
    else test.run(result.request);
  };

  useUnsavedGuard(dirty, agent.name);

  const unplaced = save.error !== null && !isConflict(save.error) && errors.form !== undefined;
  return (
    <form onSubmit={submit} noValidate aria-label="Configuration">
      <Stack gap="lg">
        {outdated && dirty && (
          <Alert
            color="yellow"
            icon={<IconInfoCircle />}
            title="It was changed elsewhere meanwhile"
            role="alert"
          >
            <Stack gap="xs">
              <Text size="sm">
                Your changes are not saved. Take what is there now, or save yours over it.
              </Text>
              <Group gap="xs">
                <Button variant="default" onClick={() => rebase(agent)}>
                  Discard mine
                </Button>
                <Button variant="default" onClick={() => void saveOver(agent)}>
                  Save mine over it
                </Button>
              </Group>
            </Stack>
          </Alert>
        )}
        <Section title="General">
          <TextInput
            label="Name"
            required
            value={fields.name}
            error={errorAt(errors, 'name')}
            onChange={(event) => change({ name: event.currentTarget.value }, 'name')}
          />
          <TextInput
            label="Description"
            value={fields.description}
            error={errorAt(errors, 'description')}
            onChange={(event) => change({ description: event.currentTarget.value }, 'description')}
          />
          <Checkbox
            size="xs"
            label="Start it whenever the console starts"
            checked={fields.autostart}
            onChange={(event) => change({ autostart: event.currentTarget.checked }, 'autostart')}
          />
        </Section>
        <Section title="Launch">
          {fields.kind === 'command' ? null : (
            <Text size="sm" c="dimmed">
              A program that is built in: <b>{fields.kind}</b>.
            </Text>
          )}
          <LaunchFields form={form} />
          {fields.kind === 'echo' && (
            <CommandLineField
              label="Arguments"
              value={fields.command}
              error={errorAt(errors, 'launch')}
              onChange={(command) => change({ command }, 'launch')}
            />
          )}
        </Section>
        <Section title="Limits">
          <LimitsEditor
            limits={fields.limits}
            errors={errors}
            onChange={(limits, ...paths) => change({ limits }, ...paths)}
          />
        </Section>
        <Section title="MCP servers">
          <ServersEditor
            servers={fields.mcpServers}
            errors={errors}
            onChange={(mcpServers, ...paths) => change({ mcpServers }, ...paths)}
          />
        </Section>
        <Section title="Permissions">
          <PermissionPolicies agent={agent} />
        </Section>
        <Facts
          rows={[
            ['Id', <ShortId key="id" id={agent.id} label="Copy agent id" />],
            ['Added', formatIso(agent.createdAt)],
          ]}
        />
        {test.result !== undefined && <TestResult result={test.result} />}
        {test.error !== null && <ErrorCard error={test.error} what="The agent could not be tested" />}
        {unplaced && <ErrorCard error={save.error} what="The configuration was not saved" />}
        <Group justify="space-between" className={classes.footer ?? ''}>
          <Button
            variant="default"
            leftSection={<IconPlayerPlay size={14} />}
            loading={test.pending}
            onClick={runTest}
          >
            Test
          </Button>
          <Group gap="xs">
            <Button variant="default" disabled={!dirty} onClick={() => rebase(outdated ? agent : base.agent)}>
              Discard changes
            </Button>
            <Button type="submit" disabled={!dirty} loading={save.isPending}>
              Save changes
            </Button>
          </Group>
        </Group>
      </Stack>
    </form>
  );
}

function isConflict(error: unknown): boolean {
  return toApiError(error).code === 'storage.version_conflict';
}

async function confirmInterruption(agent: Agent, changes: Partial<AgentDraft>): Promise<boolean> {
  if (agent.runningTurns === 0 || !NEEDS_RESTART.some((name) => name in changes)) return true;
  return confirm({
    question: `Save and restart ${agent.name}?`,
    body: `The change needs a new process. ${formatCount(agent.runningTurns, 'running turn')} will be interrupted; what was said so far is kept.`,
    action: 'Save and restart',
    danger: true,
  });
}

/** Asks before what was entered is lost by going elsewhere: to another page, another agent or another tab. */
function useUnsavedGuard(dirty: boolean, name: string): void {
  useBlocker({
    disabled: !dirty,
    enableBeforeUnload: dirty,
    shouldBlockFn: async ({ current, next }) => {
      const here = current.search as Record<string, unknown>;
      const there = next.search as Record<string, unknown>;
      const stays =
        current.pathname === next.pathname && here.agent === there.agent && here.tab === there.tab;
      if (stays) return false;
      const leaves = await confirm({
        question: `Discard the changes to ${name}?`,
        body: 'What you have changed in its configuration is not saved.',
        action: 'Discard changes',
        cancel: 'Keep editing',
        danger: true,
      });
      return !leaves;
    },
  });
}
