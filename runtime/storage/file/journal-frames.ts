import { crc32 } from 'node:zlib';
import type { TextPlace } from './held-text.ts';

/** What a commit changes, with the versions and numbers that it was given: carrying it out twice is carrying it out once. */
export type Change =
  | {
      kind: 'put';
      collection: string;
      id: string;
      version: number;
      fields: string;
      expiresAt: number | null;
      json: string;
      /** Where the text lies in memory, when that is known. */
      place?: TextPlace | undefined;
    }
  | { kind: 'delete'; collection: string; id: string }
  | {
      kind: 'append';
      log: string;
      sequence: number;
      at: number;
      json: string;
      place?: TextPlace | undefined;
    }
  /** `last` is the number of the log's last entry. */
  | { kind: 'trim'; log: string; through: number; last: number };

export interface JournalCommit {
  /** Counts up by one with every commit. */
  serial: number;
  /** Writer and number of a commit that was named, and what it answered. */
  named?: { writer: string; number: number; at: number; answer: number[] };
  changes: Change[];
}

/**
 * One commit in the journal. Little-endian:
 *
 *     0   'STJ2'
 *     4   CRC-32 of what follows, up to the end mark
 *     8   bytes of the body
 *     12  body: lines of text
 *         'END\n'
 *
 * The end mark tells a write that was cut short from one that was damaged later: only the first has none. The body begins
 * with the serial, the first serial of the group with which the commit was written and synced (of the last group perhaps only
 * some blocks reached the disk, in any order, before the power was cut), and the name and answer of a named commit as JSON. A
 * line each follows for every part of its changes: no name holds a line break, and no text that JSON.stringify has made.
 */
const MAGIC = Buffer.from('STJ2');
const END = Buffer.from('END\n');
const MAGIC_NUMBER = MAGIC.readUInt32LE();
const CRC_AT = 4;
const BODY_LENGTH_AT = 8;
const PREFIX = 12;
/** Text is collected up to about this length before it becomes bytes. */
const WRITTEN_TOGETHER = 1024 * 1024;

/** Groups follow one another in pieces of memory of this size. */
const CHUNK_BYTES = 256 * 1024;

/** A change with the text of a value. */
export type Valued = Extract<Change, { json: string }>;

/**
 * Makes the frames of groups: commits that are written and synced together. The bytes of a group stay as they are when the
 * next one is begun; it lies behind them.
 */
export class FrameBuffer {
  #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  /** Where the group begins, … */
  #start = 0;
  /** … and where its next byte goes. */
  #end = 0;
  #group = 0;
  /** Where in a text that is to be written the lines of each change end. */
  readonly #ends: number[] = [];

  get bytes(): Buffer {
    return this.#chunk.subarray(this.#start, this.#end);
  }

  get length(): number {
    return this.#end - this.#start;
  }

  /** Begins the next group. */
  begin(): void {
    if (this.#chunk.length > CHUNK_BYTES) {
      this.#chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
      this.#end = 0;
    }
    this.#start = this.#end;
  }

  /** `placed` is told where the texts of values lie, if they are ASCII. */
  add({ serial, named, changes }: JournalCommit, placed?: (change: Valued, place: TextPlace) => void): void {
    if (this.#end === this.#start) this.#group = serial;
    const frame = this.length;
    this.#room(PREFIX);
    this.#end += PREFIX;
    // One text for all: each writing of a string costs as much as some hundred bytes of it.
    let text = `${serial}\n${this.#group}\n${named === undefined ? '' : JSON.stringify(named)}\n`;
    for (let i = 0; i < changes.length; i++) {
      text += linesOf(changes[i] as Change);
      this.#ends.push(text.length);
      if (text.length < WRITTEN_TOGETHER) continue;
      this.#write(text, changes, i + 1, placed);
      text = '';
    }
    this.#write(`${text}END\n`, changes, changes.length, placed);
    const chunk = this.#chunk;
    const at = this.#start + frame;
    const end = this.#end - END.length;
    chunk.writeUInt32LE(MAGIC_NUMBER, at);
    chunk.writeUInt32LE(end - at - PREFIX, at + BODY_LENGTH_AT);
    chunk.writeUInt32LE(crc32(chunk.subarray(at + BODY_LENGTH_AT, end)), at + CRC_AT);
  }

  /** Writes text with the lines of the changes before `through`. */
  #write(
    text: string,
    changes: readonly Change[],
    through: number,
    placed: ((change: Valued, place: TextPlace) => void) | undefined,
  ): void {
    // A UTF-16 unit takes at most three bytes.
    this.#room(text.length * 3);
    const start = this.#end;
    const bytes = this.#chunk;
    const written = bytes.write(text, start);
    this.#end += written;
    const ends = this.#ends;
    if (placed !== undefined && written === text.length) {
      for (let i = 0; i < ends.length; i++) {
        const change = changes[through - ends.length + i] as Change;
        if (change.kind !== 'put' && change.kind !== 'append') continue;
        const to = start + (ends[i] as number) - 1;
        placed(change, { bytes, from: to - change.json.length, to });
      }
    }
    ends.length = 0;
  }

  /** Goes over to another chunk, with what there is of the group, where this one has not so many bytes left. */
  #room(bytes: number): void {
    if (this.#end + bytes <= this.#chunk.length) return;
    const { length } = this;
    const larger = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, (length + bytes) * 2));
    this.#chunk.copy(larger, 0, this.#start, this.#end);
    this.#chunk = larger;
    this.#start = 0;
    this.#end = length;
  }
}

function linesOf(change: Change): string {
  switch (change.kind) {
    case 'put': {
      const { collection, id, version, fields, expiresAt, json } = change;
      return `put\n${collection}\n${id}\n${version}\n${fields}\n${expiresAt ?? ''}\n${json}\n`;
    }
    case 'delete':
      return `delete\n${change.collection}\n${change.id}\n`;
    case 'append':
      return `append\n${change.log}\n${change.sequence}\n${change.at}\n${change.json}\n`;
    case 'trim':
      return `trim\n${change.log}\n${change.through}\n${change.last}\n`;
  }
}

/** True of a file of the journal whose frames had another form. */
export function isOfOlderFormat(bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, 4) === 'STJ1';
}

/** What the frames of a journal file hold. */
export interface JournalContent {
  commits: JournalCommit[];
  /** Bytes of a last write that never completely reached the disk, and was never acknowledged. */
  tornBytes: number;
  /** Where bytes are that were written and are not whole any more. */
  damaged: { offset: number; bytes: number }[];
}

const NEWLINE = 0x0a;

/** The smallest part of a file that a disk writes or does not. */
const SECTOR = 512;

interface Frame {
  commit: JournalCommit;
  group: number;
}

/** Bytes of no whole frame. */
interface Gap {
  offset: number;
  end: number;
  /** So many whole frames are before it. */
  frames: number;
  /** The end mark of a frame that is whole otherwise. */
  endMark: boolean;
}

/**
 * Reads all frames; goes on behind a damaged one with the next that is whole. `lastWritten` is given for the file that was
 * written last, and is the serial of its first frame: of its last group, which may never have been synced, everything from
 * the first sector on that never reached the disk is left out, so that what is carried out has no hole in it.
 */
export function readFrames(bytes: Buffer, lastWritten?: number): JournalContent {
  const { frames, gaps } = findFrames(bytes);
  const lastGroup = frames.at(-1)?.group ?? 0;
  const torn =
    lastWritten === undefined
      ? undefined
      : gaps.find((gap) => {
          const missing = (frames[gap.frames - 1]?.commit.serial ?? lastWritten - 1) + 1;
          return missing >= lastGroup && neverWritten(bytes, gap);
        });
  const content: JournalContent = { commits: [], tornBytes: 0, damaged: [] };
  content.commits = frames.slice(0, torn?.frames).map(({ commit }) => commit);
  for (const { offset, end, endMark } of gaps) {
    // Without an end mark at the end of the file, it is a write that was cut short.
    const cutShort = end === bytes.length && !endsAt(bytes, end - END.length) && !endMark;
    if (offset === torn?.offset || cutShort) {
      content.tornBytes = bytes.length - offset;
      break;
    }
    content.damaged.push({ offset, bytes: end - offset });
  }
  return content;
}

function findFrames(bytes: Buffer): { frames: Frame[]; gaps: Gap[] } {
  const frames: Frame[] = [];
  const gaps: Gap[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const length = wholeFrame(bytes, offset);
    if (length === 0) {
      const next = nextWholeFrame(bytes, offset + 1);
      const end = next < 0 ? bytes.length : next;
      gaps.push({ offset, end, frames: frames.length, endMark: false });
      offset = end;
      continue;
    }
    const mark = offset + length;
    frames.push(decodeFrame(bytes, offset, mark));
    offset = mark + END.length;
    if (!endsAt(bytes, mark)) gaps.push({ offset: mark, end: offset, frames: frames.length, endMark: true });
  }
  return { frames, gaps };
}

/** Whether a sector is zeros as far as it lies in the gap: no frame has that many, nor begins or ends with any. */
function neverWritten(bytes: Buffer, { offset, end }: Gap): boolean {
  for (let from = offset; from < end; ) {
    const to = Math.min(end, (Math.floor(from / SECTOR) + 1) * SECTOR);
    if (bytes.subarray(from, to).every((byte) => byte === 0)) return true;
    from = to;
  }
  return false;
}

/** Bytes of the whole frame at an offset, without its end mark; 0 when there is none. */
function wholeFrame(bytes: Buffer, offset: number): number {
  if (offset + PREFIX > bytes.length || bytes.compare(MAGIC, 0, 4, offset, offset + 4) !== 0) return 0;
  const end = offset + PREFIX + bytes.readUInt32LE(offset + BODY_LENGTH_AT);
  if (end + END.length > bytes.length) return 0;
  const crc = crc32(bytes.subarray(offset + BODY_LENGTH_AT, end));
  return crc === bytes.readUInt32LE(offset + CRC_AT) ? end - offset : 0;
}

function nextWholeFrame(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(MAGIC, from); at >= 0; at = bytes.indexOf(MAGIC, at + 1)) {
    if (wholeFrame(bytes, at) > 0) return at;
  }
  return -1;
}

function endsAt(bytes: Buffer, offset: number): boolean {
  return (
    offset >= 0 &&
    offset + END.length <= bytes.length &&
    bytes.compare(END, 0, END.length, offset, offset + END.length) === 0
  );
}

/** Whole, without its end mark. */
function decodeFrame(bytes: Buffer, frame: number, end: number): Frame {
  let at = frame + PREFIX;
  // Line by line: all of a large commit may be more than a string can hold.
  const line = () => {
    const from = at;
    at = bytes.indexOf(NEWLINE, from) + 1;
    return bytes.toString('utf8', from, at - 1);
  };
  const commit: JournalCommit = { serial: Number(line()), changes: [] };
  const group = Number(line());
  const named = line();
  if (named !== '') commit.named = JSON.parse(named) as NonNullable<JournalCommit['named']>;
  while (at < end) commit.changes.push(nextChange(line));
  return { commit, group };
}

function nextChange(line: () => string): Change {
  const kind = line() as Change['kind'];
  switch (kind) {
    case 'put': {
      const [collection, id, version, fields, expiresAt] = [line(), line(), Number(line()), line(), line()];
      const expiry = expiresAt === '' ? null : Number(expiresAt);
      return { kind, collection, id, version, fields, expiresAt: expiry, json: line() };
    }
    case 'delete':
      return { kind, collection: line(), id: line() };
    case 'append':
      return { kind, log: line(), sequence: Number(line()), at: Number(line()), json: line() };
    case 'trim':
      return { kind, log: line(), through: Number(line()), last: Number(line()) };
  }
}
