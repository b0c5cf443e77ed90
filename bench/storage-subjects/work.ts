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

/** A message as whoever shows a session needs it: in its place, with its time. */
export interface NumberedMessage {
  /** 1 for the first of a session. */
  sequence: number;
  /** Milliseconds since the epoch. */
  at: number;
  value: Message;
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
  messages: NumberedMessage[];
}

/** Throws when a loaded session is not exactly what was stored: its last `kept` messages of so many. */
export function check(session: string, loaded: LoadedSession, messages: number, kept = messages): void {
  const { document } = loaded;
  if (document.messages !== messages || document.title !== `Conversation of ${session}`) {
    throw new Error(`${session} has the wrong document: ${JSON.stringify(document)}`);
  }
  if (loaded.messages.length !== kept) {
    throw new Error(`${session} has ${loaded.messages.length} messages, not ${kept}`);
  }
  for (const [i, found] of loaded.messages.entries()) {
    const number = messages - kept + i + 1;
    const expected = message(session, number);
    if (
      found.sequence !== number ||
      !(found.at > 1_700_000_000_000) ||
      found.value.text !== expected.text ||
      found.value.turnId !== expected.turnId
    ) {
      throw new Error(`${session} has the wrong message ${number}: ${JSON.stringify(found)}`);
    }
  }
}

/** One way to store sessions. Every append is durable when it is answered, unless its name says otherwise. */
export interface Subject {
  /** The most messages that a session keeps, for one that saves it as a whole: the session stays at its 20 KB. */
  readonly window?: number;
  /** Makes a session with its first `messages` messages. */
  create(session: string, messages: number): Promise<void>;
  /** Appends message `number` and updates the document. */
  append(session: string, number: number): Promise<void>;
  /**
   * For a raw client: appends for many sessions as one client that had them all at hand. `answered` is called as each
   * becomes durable.
   */
  appendMany?(appends: Append[], answered: () => void): Promise<void>;
  load(session: string): Promise<LoadedSession>;
  close(): Promise<void>;
}

/** Where the servers are that were started for the benchmark. */
export interface Places {
  redis?: string;
  postgres?: string;
}

export type CaseName = 'append' | 'clients' | 'load';

/** What one round of one case took. */
export interface RoundResult {
  /** Milliseconds of each operation. */
  latencies: number[];
  /** Seconds of all of them. */
  seconds: number;
}
