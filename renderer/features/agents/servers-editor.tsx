import { Button, Card, CloseButton, Group, Select, Stack, Text, TextInput } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { emptyServer, type ServerFields } from './agent-form.ts';
import { errorAt, type FieldErrors } from './field-errors.ts';
import { CommandLineField } from './launch-fields.tsx';
import { VariablesEditor } from './variables-editor.tsx';

const TYPES: readonly { value: ServerFields['type']; label: string }[] = [
  { value: 'stdio', label: 'Program' },
  { value: 'http', label: 'HTTP' },
  { value: 'sse', label: 'SSE' },
];

/** The MCP servers that the agent is given with every session. */
export function ServersEditor({
  servers,
  errors,
  onChange,
}: {
  servers: readonly ServerFields[];
  errors: FieldErrors;
  onChange: (servers: ServerFields[], ...paths: string[]) => void;
}) {
  const change = (index: number, part: Partial<ServerFields>, ...paths: string[]): void =>
    onChange(
      servers.map((server, place) => (place === index ? { ...server, ...part } : server)),
      ...paths,
    );
  return (
    <Stack gap="xs">
      <Text size="xs" c="dimmed">
        Tools that the agent gets with every session, by the Model Context Protocol.
      </Text>
      {servers.map((server, index) => (
        <Card key={server.key} m={0} padding="sm" component="fieldset" aria-label={`MCP server ${index + 1}`}>
          <Stack gap="xs">
            <Group gap="xs" wrap="nowrap" align="flex-start">
              <TextInput
                flex={1}
                label="Name"
                required
                value={server.name}
                error={errorAt(errors, `mcpServers.${index}.name`)}
                onChange={(event) =>
                  change(index, { name: event.currentTarget.value }, `mcpServers.${index}.name`)
                }
              />
              <Select
                w={110}
                label="Reached by"
                allowDeselect={false}
                data={TYPES}
                value={server.type}
                onChange={(type) =>
                  change(
                    index,
                    { type: TYPES.find(({ value }) => value === type)?.value ?? 'stdio' },
                    `mcpServers.${index}`,
                  )
                }
              />
              <CloseButton
                size="sm"
                aria-label={`Remove MCP server ${index + 1}`}
                onClick={() =>
                  onChange(
                    servers.filter((each) => each.key !== server.key),
                    'mcpServers',
                  )
                }
              />
            </Group>
            <ServerAddress
              server={server}
              path={`mcpServers.${index}`}
              errors={errors}
              onChange={(part, ...paths) => change(index, part, ...paths)}
            />
          </Stack>
        </Card>
      ))}
      <Button
        variant="subtle"
        size="compact-xs"
        w="fit-content"
        leftSection={<IconPlus size={13} />}
        onClick={() => onChange([...servers, emptyServer()])}
      >
        Add MCP server
      </Button>
    </Stack>
  );
}

function ServerAddress({
  server,
  path,
  errors,
  onChange,
}: {
  server: ServerFields;
  path: string;
  errors: FieldErrors;
  onChange: (part: Partial<ServerFields>, ...paths: string[]) => void;
}) {
  if (server.type === 'stdio') {
    return (
      <>
        <CommandLineField
          label="Command line of the server"
          required
          placeholder="npx -y @modelcontextprotocol/server-filesystem /work"
          value={server.command}
          error={errorAt(errors, `${path}.command`, `${path}.args`)}
          onChange={(command) => onChange({ command }, `${path}.command`, `${path}.args`)}
        />
        <VariablesEditor
          label="Environment of the server"
          noun="variable"
          path={`${path}.env`}
          rows={server.env}
          errors={errors}
          onChange={(env, ...paths) => onChange({ env }, ...paths)}
        />
      </>
    );
  }
  return (
    <>
      <TextInput
        label="Address"
        required
        placeholder="https://example.com/mcp"
        spellCheck={false}
        value={server.url}
        error={errorAt(errors, `${path}.url`)}
        onChange={(event) => onChange({ url: event.currentTarget.value }, `${path}.url`)}
      />
      <VariablesEditor
        label="Headers"
        noun="header"
        path={`${path}.headers`}
        rows={server.headers}
        errors={errors}
        onChange={(headers, ...paths) => onChange({ headers }, ...paths)}
      />
    </>
  );
}
