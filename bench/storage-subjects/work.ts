/** The work that every subject of the storage benchmark does, and what it answers. */

/** Sessions that are loaded; they stay as they were made. */
export const LOADED_SESSIONS = 200;
export const MESSAGES = 40;
/** Concurrent clients, each with a session of its own. */
export const CLIENTS = 64;

export interface Message {
  role: 'user' | 'agent';
  turnId: string;
  text: string;
}

export interface SessionDocument {
  title: string;
  agentId: string;
  state: string;
  createdAt: number;
  updatedAt: number;
  messages: number;
  usage: { inputTokens: number; outputTokens: number };
  tags: string[];
}

/** 40 of these are the 20 KB of a session. */
export function message(session: string, number: number): Message {
  const words = `${session} says in message ${number} what people and agents say: `;
  return {
    role: number % 2 === 1 ? 'user' : 'agent',
    turnId: `turn-${session}-${Math.ceil(number / 2)}`,
    text: words.padEnd(420, 'lorem ipsum "dolor" sit amet, '),
  };
}

export function sessionDocument(session: string, messages: number): SessionDocument {
  return {
    title: `Conversation of ${session}`,
    agentId: 'echo',
    state: 'active',
    createdAt: 1_790_000_000_000,
    updatedAt: 1_790_000_000_000 + messages,
    messages,
    usage: { inputTokens: messages * 100, outputTokens: messages * 400 },
    tags: ['bench', 'storage', 'a tag that is a little longer than the others'],
  };
}

export interface Append {
  session: string;
  number: number;
}

export interface LoadedSession {
  document: SessionDocument;
  messages: Message[];
}

/** Throws when a loaded session is not exactly what was stored. */
export function check(session: string, loaded: LoadedSession, messages: number): void {
  const { document } = loaded;
  if (document.messages !== messages || document.title !== `Conversation of ${session}`) {
    throw new Error(`${session} has the wrong document: ${JSON.stringify(document)}`);
  }
  if (loaded.messages.length !== messages) {
    throw new Error(`${session} has ${loaded.messages.length} messages, not ${messages}`);
  }
  for (const [i, found] of loaded.messages.entries()) {
    const expected = message(session, i + 1);
    if (found.text !== expected.text || found.turnId !== expected.turnId) {
      throw new Error(`${session} has the wrong message ${i + 1}: ${JSON.stringify(found)}`);
    }
  }
}

/** One way to store sessions. Every append is durable when it is answered: document and message in one transaction. */
export interface Subject {
  /** Makes a session with its first `messages` messages. */
  create(session: string, messages: number): Promise<void>;
  /** Appends message `number` and updates the document. */
  append(session: string, number: number): Promise<void>;
  /**
   * For one that cannot have concurrent clients: appends for many sessions as one client that had them all at hand.
   * `answered` is called as each becomes durable.
   */
  appendMany?(appends: Append[], answered: () => void): void;
  load(session: string): Promise<LoadedSession>;
  close(): Promise<void>;
}

export type CaseName = 'append' | 'clients' | 'load';

/** What one round of one case took. */
export interface RoundResult {
  /** Milliseconds of each operation. */
  latencies: number[];
  /** Seconds of all of them. */
  seconds: number;
}
