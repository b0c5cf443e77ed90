import { Combobox, Text } from '@mantine/core';
import type { ReactElement } from 'react';
import classes from './command-menu-view.module.css';
import type { CommandMenuState } from './use-command-menu.ts';

/** The commands of the agent, above the field (`children`) where a slash is typed. */
export function CommandMenuView({ menu, children }: { menu: CommandMenuState; children: ReactElement }) {
  return (
    <Combobox
      store={menu.store}
      position="top-start"
      // The first option is marked as soon as the menu is there.
      transitionProps={{ duration: 0 }}
      onOptionSubmit={menu.pick}
    >
      <Combobox.DropdownTarget>{children}</Combobox.DropdownTarget>
      <Combobox.Dropdown>
        {/* A box that scrolls must be reachable by keyboard. */}
        <Combobox.Options
          aria-label="Commands of the agent"
          tabIndex={0}
          mah={240}
          style={{ overflowY: 'auto' }}
        >
          {menu.matches.map(({ name, description, hint }) => (
            <Combobox.Option key={name} value={name} className={classes.option ?? ''}>
              <Text size="sm" ff="monospace">
                /{name}
                {hint !== undefined && (
                  <Text span inherit c="dimmed">
                    {' '}
                    {hint}
                  </Text>
                )}
              </Text>
              <Text size="xs" c="dimmed" lineClamp={1}>
                {description}
              </Text>
            </Combobox.Option>
          ))}
        </Combobox.Options>
      </Combobox.Dropdown>
    </Combobox>
  );
}
