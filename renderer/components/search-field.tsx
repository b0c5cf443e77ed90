import { TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { IconSearch } from '@tabler/icons-react';
import { useState } from 'react';
import { MAX_SEARCH_LENGTH } from '#contract';

/** A pause in typing after which a search is sent. */
const DELAY_MS = 250;

/** The search of a list, sent once the user pauses. The page's shortcut `/` leads into it. */
export function SearchField({
  label,
  placeholder,
  applied,
  onSearch,
}: {
  label: string;
  placeholder: string;
  /** What is being searched for, as the address says. */
  applied: string;
  onSearch: (text: string) => void;
}) {
  const [text, setText] = useState(applied);
  const [sent, setSent] = useState(applied);
  // Back and "Clear filters" change the address from outside; what is being typed stays otherwise.
  if (applied !== sent) {
    setSent(applied);
    setText(applied);
  }
  const search = useDebouncedCallback((next: string) => {
    setSent(next);
    onSearch(next);
  }, DELAY_MS);
  return (
    <TextInput
      type="search"
      aria-label={label}
      placeholder={placeholder}
      leftSection={<IconSearch size={14} />}
      value={text}
      maxLength={MAX_SEARCH_LENGTH}
      onChange={(event) => {
        setText(event.currentTarget.value);
        search(event.currentTarget.value);
      }}
      data-page-filter
      w={240}
    />
  );
}
