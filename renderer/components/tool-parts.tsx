import { Code, Group, Image, Stack, Text } from '@mantine/core';
import { useMemo } from 'react';
import type { ToolCall, ToolContent } from '#contract';
import { formatNumber } from '../lib/format.ts';
import { CopyText } from './copy-text.tsx';
import { type DiffLine, diffLines } from './diff-lines.ts';
import classes from './diff-view.module.css';
import { LongText } from './long-text.tsx';
import { Output } from './output.tsx';

/** Lines of a diff that are drawn; who wants all of a longer one copies it. */
const DIFF_LINES_SHOWN = 2000;

/** What a tool call is about and what it shows: files, input, output part by part, diffs as such. */
export function ToolParts({ call }: { call: ToolCall }) {
  const parts = call.parts ?? (call.content ? [{ type: 'text' as const, text: call.content }] : []);
  const isEmpty = parts.length === 0 && call.rawInput === undefined && call.rawOutput === undefined;
  return (
    <Stack gap="xs">
      {call.locations !== undefined && call.locations.length > 0 && (
        <Group gap="xs">
          {call.locations.map(({ path, line }) => (
            <Code key={`${path}:${line}`} style={{ overflowWrap: 'anywhere' }}>
              {line === undefined ? path : `${path}:${line}`}
            </Code>
          ))}
        </Group>
      )}
      {call.rawInput !== undefined && <Raw label="Input" value={call.rawInput} />}
      {parts.map((part, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a call have no other name than their place
        <Part key={index} part={part} />
      ))}
      {parts.length === 0 && call.rawOutput !== undefined && <Raw label="Output" value={call.rawOutput} />}
      {isEmpty && (
        <Text size="sm" c="dimmed">
          No output
        </Text>
      )}
    </Stack>
  );
}

function Part({ part }: { part: ToolContent }) {
  switch (part.type) {
    case 'text':
      return <Output text={part.text} label="Copy output" />;
    case 'diff':
      return <DiffView part={part} />;
    case 'image':
      return (
        <Image
          src={`data:${part.mimeType};base64,${part.data}`}
          alt="Output of the tool"
          maw={480}
          w="auto"
        />
      );
    case 'terminal':
      return (
        <Text size="sm" c="dimmed">
          Output of the terminal {part.terminalId}
        </Text>
      );
    case 'raw':
      return <Raw label="Output of a kind that this version does not know" value={part.raw} />;
  }
}

function DiffView({ part }: { part: Extract<ToolContent, { type: 'diff' }> }) {
  const { path, oldText, newText } = part;
  const lines = useMemo(() => diffLines(oldText, newText), [oldText, newText]);
  return (
    <section aria-label={`Change of ${path}`}>
      <Group gap="xs" mb={4} wrap="nowrap">
        <Code style={{ overflowWrap: 'anywhere' }}>{path}</Code>
        <Text size="xs" c="dimmed" style={{ whiteSpace: 'nowrap' }}>
          {oldText === null ? 'new file, ' : ''}
          {changeInWords(lines)}
        </Text>
        <CopyText label="Copy the new text" text={() => newText} />
      </Group>
      {lines === undefined ? (
        <LongText text={newText} monospace />
      ) : lines.length === 0 ? null : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
        <pre className={classes.diff} tabIndex={0}>
          {lines.slice(0, DIFF_LINES_SHOWN).map(({ kind, text }, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a line has no other name than its place
            <div key={index} data-line={kind}>
              {text}
            </div>
          ))}
          {lines.length > DIFF_LINES_SHOWN && (
            <div data-line="hunk">… {formatNumber(lines.length - DIFF_LINES_SHOWN)} more lines</div>
          )}
        </pre>
      )}
    </section>
  );
}

function changeInWords(lines: readonly DiffLine[] | undefined): string {
  if (lines === undefined) return 'too different to compare';
  if (lines.length === 0) return 'no change';
  const count = (wanted: DiffLine['kind']) =>
    formatNumber(lines.filter(({ kind }) => kind === wanted).length);
  return `+${count('added')} −${count('removed')}`;
}

function Raw({ label, value }: { label: string; value: unknown }) {
  const text = typeof value === 'string' ? value : (JSON.stringify(value, null, 2) ?? '');
  return (
    <div>
      <Text size="xs" c="dimmed">
        {label}
      </Text>
      <Output text={text} label={`Copy ${label.toLowerCase()}`} />
    </div>
  );
}
