import type { Message, Turn } from '../contract/index.ts';
import type { LogEntry, Storage } from '../storage/storage.ts';

/**
 * The transcript of a session is a log, `messages/<session id>`. Nothing in it is ever rewritten: streamed text is
 * appended in parts, what changes (a tool call, a turn) is appended again under the same id, and reading folds it.
 */
export type TranscriptEntry =
  /** A turn as it stands now. */
  | { type: 'turn'; turn: Turn }
  /** A message as it stands now. */
  | { type: 'message'; message: StoredMessage }
  /** More text of a message. The first part of a message carries what is known of it. */
  | { type: 'part'; messageId: string; text: string };

/** Whether a message is complete is not stored: it follows from its turn. */
export type StoredMessage = Omit<Message, 'complete'>;

export interface Transcript {
  messages: Message[];
  turns: Turn[];
}

const PAGE = 10_000;

export function transcriptLog(sessionId: string): string {
  return `messages/${sessionId}`;
}

/** Folds the entries of a log, in their order, into messages and turns. */
export function foldTranscript(entries: Iterable<TranscriptEntry>): Transcript {
  const turns = new Map<string, Turn>();
  const messages = new Map<string, StoredMessage>();
  const parts = new Map<string, string[]>();
  for (const entry of entries) {
    if (entry.type === 'turn') {
      // What a running turn has used may be written more than once; nothing makes one run again that has ended.
      const known = turns.get(entry.turn.id);
      if (known === undefined || known.state === 'running') turns.set(entry.turn.id, entry.turn);
    } else if (entry.type === 'message') {
      messages.set(entry.message.id, entry.message);
      parts.delete(entry.message.id);
    } else {
      const known = parts.get(entry.messageId);
      if (known === undefined) parts.set(entry.messageId, [entry.text]);
      else known.push(entry.text);
    }
  }
  const running = [...turns.values()].findLast((turn) => turn.state === 'running');
  const all = [...messages.values()];
  const last = all.at(-1);
  return {
    turns: [...turns.values()],
    messages: all.map((message) => ({
      ...message,
      text: message.text + (parts.get(message.id)?.join('') ?? ''),
      complete: !(message === last && message.role === 'agent' && message.turnId === running?.id),
    })),
  };
}

/** Reads and folds the whole transcript of a session. */
export async function readTranscript(storage: Storage, sessionId: string): Promise<Transcript> {
  const entries: TranscriptEntry[] = [];
  let after = 0;
  for (;;) {
    const page: LogEntry<TranscriptEntry>[] = await storage.read(transcriptLog(sessionId), {
      after,
      limit: PAGE,
    });
    for (const entry of page) entries.push(entry.value);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return foldTranscript(entries);
    after = last.sequence;
  }
}

/** The last turns as plain text, the oldest first: what primes an agent that does not know the session. */
export function historyOf(
  transcript: Transcript,
  limits: { turns: number; bytes: number; before: string },
): { role: 'user' | 'agent'; text: string }[] {
  const kept = transcript.turns.filter((turn) => turn.id !== limits.before).slice(-limits.turns);
  const history: { role: 'user' | 'agent'; text: string }[] = [];
  for (const turn of kept) {
    for (const role of ['user', 'agent'] as const) {
      const text = transcript.messages
        .filter((message) => message.turnId === turn.id && message.role === role && message.kind === 'text')
        .map((message) => message.text)
        .join('\n\n');
      if (text !== '') history.push({ role, text });
    }
  }
  let bytes = history.reduce((sum, entry) => sum + Buffer.byteLength(entry.text), 0);
  while (bytes > limits.bytes) {
    const dropped = history.shift();
    if (dropped === undefined) break;
    bytes -= Buffer.byteLength(dropped.text);
  }
  return history;
}
