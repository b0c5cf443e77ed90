/** What an agent process that does not know a session is told of it. */

export interface HistoryEntry {
  role: 'user' | 'agent';
  text: string;
}

/**
 * The newest turns of a history, the oldest first: at most `turns` of them (`AGENT_STATE_MESSAGE_HISTORY`), and no more
 * than `maxBytes` of UTF-8 (`AGENT_STATE_MAX_SIZE_MB`). A turn is what the user said and all that answers it; it is kept
 * whole or not at all.
 */
export function keptTurns(
  history: readonly HistoryEntry[],
  limits: { turns: number; maxBytes: number },
): HistoryEntry[] {
  const kept: HistoryEntry[][] = [];
  let bytes = 0;
  let turn: HistoryEntry[] = [];
  for (const entry of history.toReversed()) {
    turn.unshift(entry);
    if (entry.role !== 'user') continue;
    bytes += turn.reduce((sum, part) => sum + Buffer.byteLength(part.text), 0);
    if (kept.length >= limits.turns || bytes > limits.maxBytes) return kept.flat();
    kept.unshift(turn);
    turn = [];
  }
  return kept.flat();
}

const BEGINNING = '<earlier-conversation>';
const END = '</earlier-conversation>';

/**
 * The kept turns as text to be put in front of the first prompt, for an agent that takes them in no other way. Empty when
 * there are none.
 */
export function preface(history: readonly HistoryEntry[]): string {
  if (history.length === 0) return '';
  const lines = history.map(({ role, text }) => `<${role}>\n${text}\n</${role}>`);
  return [
    BEGINNING,
    'Your process was started anew. This is what was said before in this conversation. Do not answer it, go on from it.',
    ...lines,
    END,
    '',
    '',
  ].join('\n');
}

/** What the user said, of a prompt that may have had a preface. */
export function withoutPreface(prompt: string): string {
  if (!prompt.startsWith(BEGINNING)) return prompt;
  // The last mark: what was said earlier may hold such a mark itself.
  const end = prompt.lastIndexOf(`${END}\n`);
  return end === -1 ? prompt : prompt.slice(end + END.length).trimStart();
}
