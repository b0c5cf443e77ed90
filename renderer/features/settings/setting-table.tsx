import { Badge, Card, Code, Table, Text, Title } from '@mantine/core';
import type { Setting } from '#contract';

const SOURCES: Readonly<Record<Setting['source'], { label: string; color: string }>> = {
  default: { label: 'default', color: 'gray' },
  environment: { label: 'environment', color: 'petrol' },
  file: { label: 'settings.json', color: 'grape' },
};

/** A group of settings: what each does, its value, and where that comes from. */
export function SettingTable({ name, settings }: { name: string; settings: readonly Setting[] }) {
  return (
    <Card component="section" aria-label={name} p={0}>
      <Title order={2} size="h5" px="md" pt="sm" pb={4} tt="capitalize">
        {name}
      </Title>
      <Table.ScrollContainer minWidth={640} type="native">
        <Table layout="fixed" horizontalSpacing="md">
          <Table.Thead>
            <Table.Tr>
              <Table.Th w="30%">Setting</Table.Th>
              <Table.Th>What it does</Table.Th>
              <Table.Th w="22%">Value</Table.Th>
              <Table.Th w={148}>From</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {settings.map((setting) => (
              <Table.Tr key={setting.name}>
                <Table.Td>
                  <Code bg="transparent" px={0}>
                    {setting.name}
                  </Code>
                </Table.Td>
                <Table.Td>
                  <Text size="sm" c="dimmed">
                    {setting.description}
                  </Text>
                </Table.Td>
                <Table.Td>
                  <Text size="sm" ff="monospace" style={{ overflowWrap: 'anywhere' }}>
                    {setting.value === '' ? 'not set' : setting.value}
                  </Text>
                  {setting.source !== 'default' && setting.defaultValue !== '' && (
                    <Text size="xs" c="dimmed">
                      default {setting.defaultValue}
                    </Text>
                  )}
                </Table.Td>
                <Table.Td>
                  <Badge variant="light" size="sm" tt="none" color={SOURCES[setting.source].color}>
                    {SOURCES[setting.source].label}
                  </Badge>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Card>
  );
}
