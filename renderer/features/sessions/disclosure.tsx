import { Accordion, Group } from '@mantine/core';
import { type ReactNode, useState } from 'react';

/** One line that opens; what it holds is made only when it is open. */
export function Disclosure({
  label,
  icon,
  children,
}: {
  label: ReactNode;
  icon: ReactNode;
  children: () => ReactNode;
}) {
  const [value, setValue] = useState<string | null>(null);
  return (
    <Accordion
      value={value}
      onChange={setValue}
      variant="contained"
      radius="sm"
      chevronPosition="left"
      styles={{ control: { paddingBlock: 0 }, label: { paddingBlock: 6 } }}
    >
      <Accordion.Item value="open">
        <Accordion.Control>
          <Group gap="xs" wrap="nowrap" c="dimmed">
            {icon}
            {label}
          </Group>
        </Accordion.Control>
        <Accordion.Panel>{value === 'open' ? children() : null}</Accordion.Panel>
      </Accordion.Item>
    </Accordion>
  );
}
