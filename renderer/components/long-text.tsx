import { Anchor, Box, Text } from '@mantine/core';
import { useState } from 'react';
import { formatBytes } from '../lib/format.ts';

/** UTF-16 units that are shown at first: a very long text would hold up the page while it is laid out. */
export const SHOWN_AT_FIRST = 65_536;

/** Plain text as it is, the rest of a very long one on demand. */
export function LongText({ text, monospace = false }: { text: string; monospace?: boolean }) {
  const [all, setAll] = useState(false);
  const cut = !all && text.length > SHOWN_AT_FIRST;
  return (
    <Box>
      <Text
        size={monospace ? 'xs' : 'sm'}
        {...(monospace && { ff: 'monospace' })}
        style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}
      >
        {cut ? text.slice(0, SHOWN_AT_FIRST) : text}
      </Text>
      {cut && (
        <Anchor component="button" type="button" size="sm" onClick={() => setAll(true)}>
          Show the rest ({formatBytes(text.length - SHOWN_AT_FIRST)})
        </Anchor>
      )}
    </Box>
  );
}
