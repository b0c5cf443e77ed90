import type { SessionDetail, Usage } from '#contract';
import { type TurnBlock, turnBlocks } from './turn-blocks.ts';

export type SessionExportFormat = 'json' | 'ndjson' | 'markdown';

export interface ExportedFile {
  fileName: string;
  mediaType: string;
  text: string;
}

const EXTENSIONS: Record<SessionExportFormat, string> = { json: 'json', ndjson: 'ndjson', markdown: 'md' };
const MEDIA_TYPES: Record<SessionExportFormat, string> = {
  json: 'application/json',
  ndjson: 'application/x-ndjson',
  markdown: 'text/markdown',
};

/** The session as a file: JSON is the answer of the API, NDJSON one message a line, Markdown is made to be read. */
export function exportSession(session: SessionDetail, format: SessionExportFormat): ExportedFile {
  return {
    fileName: `${fileNameOf(session)}.${EXTENSIONS[format]}`,
    mediaType: MEDIA_TYPES[format],
    text: render(session, format),
  };
}

function render(session: SessionDetail, format: SessionExportFormat): string {
  switch (format) {
    case 'json':
      return `${JSON.stringify(session, null, 2)}\n`;
    case 'ndjson':
      return session.messages.map((message) => `${JSON.stringify(message)}\n`).join('');
    case 'markdown':
      return markdown(session);
  }
}

/** Letters and digits of the title, and enough of the id to tell two sessions of one title apart. */
function fileNameOf(session: SessionDetail): string {
  const words = session.title
    .normalize('NFC')
    .replace(/[^\p{Letter}\p{Number}]+/gu, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 60)
    .toLowerCase();
  return `${words === '' ? 'session' : words}-${session.id.slice(0, 8)}`;
}

function markdown(session: SessionDetail): string {
  const lines = [
    `# ${session.title}`,
    '',
    `Session \`${session.id}\` with agent \`${session.agentId}\`, begun ${new Date(session.createdAt).toISOString()}, ` +
      `${session.messageCount} messages, ${usageInWords(session.usage)}.`,
  ];
  for (const block of turnBlocks(session)) lines.push('', ...turnLines(block));
  return `${lines.join('\n')}\n`;
}

function turnLines(block: TurnBlock): string[] {
  const lines: string[] = [];
  for (const prompt of block.prompts) lines.push('## You', '', prompt.text, '');
  if (block.entries.length > 0) lines.push('## Agent', '');
  for (const entry of block.entries) {
    switch (entry.kind) {
      case 'text':
        lines.push(entry.text, '');
        break;
      case 'thought':
        lines.push(...entry.text.split('\n').map((line) => `> ${line}`), '');
        break;
      case 'plan':
        lines.push('**Plan**', '', entry.text, '');
        break;
      case 'tool_call':
        lines.push(
          `**Tool call: ${entry.toolCall?.title ?? entry.text}** (${entry.toolCall?.status ?? 'unknown'})`,
          '',
        );
        if (entry.toolCall?.content) lines.push(...fenced(entry.toolCall.content, ''), '');
        break;
      case 'raw':
        lines.push(...fenced(JSON.stringify(entry.raw, null, 2) ?? '', 'json'), '');
    }
  }
  const turn = block.turn;
  if (turn !== undefined && turn.state !== 'completed')
    lines.push(
      `*${turn.state}${turn.error === undefined ? '' : `: ${turn.error.message} (${turn.error.code})`}*`,
      '',
    );
  lines.pop();
  return lines;
}

/** A fence that is longer than every run of backticks in the text. */
function fenced(text: string, language: string): string[] {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map((match) => match[0].length));
  const fence = '`'.repeat(longest + 1);
  return [`${fence}${language}`, text, fence];
}

function usageInWords(usage: Usage): string {
  return `${usage.inputTokens} tokens in, ${usage.outputTokens} out`;
}
