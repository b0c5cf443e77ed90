import type { Session, Turn } from '../contract/index.ts';
import type { IndexValue, PutOperation, StoredDocument } from '../storage/storage.ts';

export const SESSION_COLLECTION = 'sessions';

/** A session as it is stored; the version is that of the document. */
export interface SessionRecord extends Omit<Session, 'version'> {
  /** Who gave the title. One of the user's stays; the agent's takes the place of any other. */
  titledBy: 'nobody' | 'prompt' | 'agent' | 'user';
  /** How many attachments were ever taken: the last part of the id of the newest one. */
  attachmentCount: number;
}

/** What older versions kept in the place of `titledBy`: false for a title of the user's as for one of the first prompt. */
interface Older {
  untitled?: boolean;
}

/** Fills in what sessions of older versions do not have. */
export function withDefaults({ untitled, ...record }: SessionRecord & Older): SessionRecord {
  return {
    ...record,
    titledBy: record.titledBy ?? (untitled === true ? 'nobody' : 'user'),
    waitingForYou: record.waitingForYou ?? 0,
    attachmentCount: record.attachmentCount ?? 0,
  };
}

export function toSession(record: SessionRecord, version: number): Session {
  const { titledBy: _, attachmentCount: __, ...session } = withDefaults(record);
  return { ...session, version };
}

/** What the session is doing, which follows from its last turn and from what waits for the user. */
export function statusOf(record: Pick<SessionRecord, 'lastTurn' | 'waitingForYou'>): Session['status'] {
  if (record.waitingForYou > 0) return 'needs-you';
  return record.lastTurn === undefined ? 'idle' : statusAfter(record.lastTurn);
}

function statusAfter(turn: Turn): Session['status'] {
  switch (turn.state) {
    case 'running':
      return 'busy';
    case 'interrupted':
    case 'failed':
      return turn.state;
    default:
      return 'idle';
  }
}

export function fromDocument(document: StoredDocument<SessionRecord>): Session {
  return toSession(document.value, document.version);
}

/** The put of a session, with the fields that lists filter and sort by. */
export function putSession(record: SessionRecord, expectVersion: number): PutOperation {
  const index: Record<string, IndexValue> = {
    state: record.state,
    status: record.status,
    agentId: record.agentId,
    lastActivityAt: record.lastActivityAt,
    search: `${record.title} ${record.id}`,
  };
  return { kind: 'put', collection: SESSION_COLLECTION, id: record.id, value: record, index, expectVersion };
}

const TITLE_LENGTH = 60;

/** A title out of the first line of a prompt, cut at a word where there is one. */
export function titleOf(message: string): string {
  const line = message.trim().split(/\r?\n/, 1)[0]?.trim() ?? '';
  const characters = [...line];
  if (characters.length <= TITLE_LENGTH) return line;
  const cut = characters.slice(0, TITLE_LENGTH - 1).join('');
  const space = cut.lastIndexOf(' ');
  return `${space > TITLE_LENGTH / 2 ? cut.slice(0, space) : cut}…`;
}
