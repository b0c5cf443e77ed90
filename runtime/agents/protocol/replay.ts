/** What an agent plays back when it loads a session (ACP `session/load`), and whether that is the session that we know. */
import type { HistoryEntry } from './agent-priming.ts';
import { withoutPreface } from './agent-priming.ts';

/** Characters of a replay that are kept; what is older is not compared. */
const MAX_CHARACTERS = 16 * 1024 * 1024;

/**
 * What an agent has put into the conversation itself, and plays back as if the user had said it. Seen of Gemini CLI 0.61.0:
 * where it works, before the first prompt, and that a tool has answered, in the middle of a turn.
 */
const NEVER_SAID = [
  /^\s*<session_context>[\s\S]*<\/session_context>\s*$/,
  /^\s*\[Function Response: [^\]]*\]\s*$/,
];

/** A turn as one text each: what the user said and all that the agent answered. */
export interface ReplayedTurn {
  user: string;
  agent: string;
}

/** Collects the turns of a replay, from the updates of the session while it is being loaded. */
export class ReplayCollector {
  readonly turns: ReplayedTurn[] = [];
  #characters = 0;
  #lastWas: 'user' | 'agent' | undefined;

  add(update: unknown): void {
    const { sessionUpdate: kind, content } = (update ?? {}) as { sessionUpdate?: unknown; content?: unknown };
    if (kind === 'user_message_chunk') {
      const text = textOf(content);
      if (NEVER_SAID.some((pattern) => pattern.test(text))) return;
      if (this.#lastWas !== 'user') this.turns.push({ user: '', agent: '' });
      this.#lastWas = 'user';
      this.#append('user', text);
    } else if (kind === 'agent_message_chunk') {
      // An answer before the first prompt belongs to no turn of ours.
      if (this.turns.length === 0) return;
      this.#lastWas = 'agent';
      this.#append('agent', textOf(content));
    } else if (this.turns.length > 0) this.#lastWas = 'agent';
  }

  #append(role: 'user' | 'agent', text: string): void {
    const turn = this.turns.at(-1);
    if (turn === undefined) return;
    turn[role] += text;
    this.#characters += text.length;
    while (this.#characters > MAX_CHARACTERS && this.turns.length > 1) {
      const oldest = this.turns.shift();
      this.#characters -= (oldest?.user.length ?? 0) + (oldest?.agent.length ?? 0);
    }
  }
}

function textOf(content: unknown): string {
  const { type, text } = (content ?? {}) as { type?: unknown; text?: unknown };
  return type === 'text' && typeof text === 'string' ? text : '';
}

/** A kept turn: what was said, in the entries of the history. */
interface KeptTurn extends ReplayedTurn {
  entries: HistoryEntry[];
}

export type ReplayComparison =
  /** It is the session that we know. `missing`: kept turns that the agent has not, the oldest first. */
  | { agrees: true; missing: HistoryEntry[] }
  /** It holds something that was never said in the session that we know. */
  | { agrees: false };

/**
 * Compares a replay with the kept turns. Older turns than the kept ones may be anything, so the comparison runs from the
 * newest backwards: each replayed turn must be one of the kept turns, in their order; a kept turn that the agent has not
 * (it ended before it had written it down, or the turn never reached it) is missing.
 */
export function compareReplay(
  replay: readonly ReplayedTurn[],
  history: readonly HistoryEntry[],
): ReplayComparison {
  const kept = turnsOf(history);
  // Nothing is kept (AGENT_STATE_MESSAGE_HISTORY may be 0), so nothing can be held against it.
  if (kept.length === 0) return { agrees: true, missing: [] };
  const missing: KeptTurn[] = [];
  let at = kept.length - 1;
  for (const replayed of replay.toReversed()) {
    if (at < 0) break;
    const found = lastAgreeing(kept, at, replayed);
    if (found === -1) return { agrees: false };
    missing.unshift(...kept.slice(found + 1, at + 1));
    at = found - 1;
  }
  // What is before the oldest replayed turn was told to the agent before its first prompt, unless nothing was replayed.
  if (replay.length === 0) missing.unshift(...kept.slice(0, at + 1));
  return { agrees: true, missing: missing.flatMap(({ entries }) => entries) };
}

function lastAgreeing(kept: readonly KeptTurn[], from: number, replayed: ReplayedTurn): number {
  for (let i = from; i >= 0; i--) {
    if (agree(kept[i] as KeptTurn, replayed)) return i;
  }
  return -1;
}

function agree(kept: ReplayedTurn, replayed: ReplayedTurn): boolean {
  return userAgrees(kept.user, withoutPreface(replayed.user)) && agentAgrees(kept.agent, replayed.agent);
}

/** Files that were written out in the prompt follow its text after a blank line. */
function userAgrees(kept: string, replayed: string): boolean {
  return plain(replayed) === plain(kept) || replayed.trimStart().startsWith(`${kept.trim()}\n\n`);
}

/** An answer may have been cut off on either side, and agents do not all keep blanks. */
function agentAgrees(kept: string, replayed: string): boolean {
  const [a, b] = [plain(kept), plain(replayed)];
  return a.startsWith(b) || b.startsWith(a);
}

function plain(text: string): string {
  return text.replace(/\s+/g, '');
}

/** Entries before the first thing that the user said belong to a turn that is not kept. */
function turnsOf(history: readonly HistoryEntry[]): KeptTurn[] {
  const turns: KeptTurn[] = [];
  for (const entry of history) {
    if (entry.role === 'user') turns.push({ user: entry.text, agent: '', entries: [entry] });
    else {
      const turn = turns.at(-1);
      turn?.entries.push(entry);
      if (turn !== undefined) turn.agent += entry.text;
    }
  }
  return turns;
}
