import { type ComboboxStore, useCombobox } from '@mantine/core';
import { useEffect, useState } from 'react';
import { type AgentCommand, completed, matchingCommands } from './command-menu.ts';

export interface CommandMenuState {
  readonly store: ComboboxStore;
  /** What is offered; the menu is closed when there is nothing. */
  readonly matches: readonly AgentCommand[];
  /** The id of the option that Enter takes. */
  readonly activeId: string | undefined;
  /** Does what the key means to the open menu; true when it means something. */
  press(key: string): boolean;
  pick(name: string): void;
}

/** The menu of commands over a text: the first match is marked at once, so that everybody sees what Enter takes. */
export function useCommandMenu(
  text: string,
  commands: readonly AgentCommand[],
  onComplete: (text: string) => void,
): CommandMenuState {
  const [closedFor, setClosedFor] = useState<string>();
  const [activeId, setActiveId] = useState<string>();
  const matches = text === closedFor ? [] : matchingCommands(text, commands);
  const store = useCombobox({ opened: matches.length > 0 });
  const offered = matches.map(({ name }) => name).join(' ');
  const { resetSelectedOption, selectFirstOption } = store;

  useEffect(() => {
    resetSelectedOption();
    setActiveId(offered === '' ? undefined : (selectFirstOption() ?? undefined));
  }, [offered, resetSelectedOption, selectFirstOption]);

  const press = (key: string): boolean => {
    if (matches.length === 0) return false;
    switch (key) {
      case 'ArrowDown':
        setActiveId(store.selectNextOption() ?? undefined);
        return true;
      case 'ArrowUp':
        setActiveId(store.selectPreviousOption() ?? undefined);
        return true;
      case 'Escape':
        setClosedFor(text);
        return true;
      case 'Tab':
      case 'Enter':
        if (store.getSelectedOptionIndex() < 0) store.selectFirstOption();
        store.clickSelectedOption();
        return true;
      default:
        return false;
    }
  };

  const pick = (name: string) => {
    const command = commands.find((each) => each.name === name);
    if (command === undefined) return;
    onComplete(completed(command));
    setClosedFor(completed(command));
  };

  return { store, matches, activeId, press, pick };
}
