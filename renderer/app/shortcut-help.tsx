import { Group, Kbd, Modal, Stack, Table, Text } from '@mantine/core';
import { useOs } from '@mantine/hooks';
import { PAGES, SETTINGS_PAGE } from './pages.ts';

/** The keys of the console. `mod` is Ctrl, or ⌘ on a Mac. */
const GROUPS: readonly {
  title: string;
  rows: readonly (readonly [keys: readonly string[], what: string])[];
}[] = [
  {
    title: 'Anywhere',
    rows: [
      [['mod', 'K'], 'Search, go, act'],
      [['mod', 'B'], 'Collapse or expand the rail'],
      [['?'], 'This list'],
      [['/'], 'To the filter of the page'],
      [['r'], 'Refresh'],
      [['Esc'], 'Back: close what is open'],
    ],
  },
  {
    title: 'Go to',
    rows: [...PAGES, SETTINGS_PAGE].map((page) => [['g', page.key], page.label] as const),
  },
  {
    title: 'Where you write',
    rows: [
      [['Enter'], 'Send'],
      [['Shift', 'Enter'], 'New line'],
      [['/'], 'The commands of the agent, chosen with the arrow keys'],
      [['Esc'], 'Cancel the turn that runs'],
    ],
  },
  {
    title: 'Lists and tails',
    rows: [
      [['j'], 'Next row'],
      [['k'], 'Previous row'],
      [['Enter'], 'Open the details'],
      [['Space'], 'Pause or resume the live tail'],
    ],
  },
];

/** All shortcuts, opened with `?`. */
export function ShortcutHelp({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const mod = useOs() === 'macos' ? '⌘' : 'Ctrl';
  return (
    <Modal opened={opened} onClose={onClose} title="Keyboard shortcuts" size="md">
      <Stack>
        {GROUPS.map((group) => (
          <div key={group.title}>
            <Text size="xs" c="dimmed" fw={600} mb={4}>
              {group.title}
            </Text>
            <Table verticalSpacing={4} withRowBorders={false}>
              <Table.Tbody>
                {group.rows.map(([keys, what]) => (
                  <Table.Tr key={what}>
                    <Table.Td w={120}>
                      <Group gap={4}>
                        {keys.map((key) => (
                          <Kbd key={key}>{key === 'mod' ? mod : key}</Kbd>
                        ))}
                      </Group>
                    </Table.Td>
                    <Table.Td>{what}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </div>
        ))}
      </Stack>
    </Modal>
  );
}
