import { crc32 } from 'node:zlib';

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
    }
  | { kind: 'delete'; collection: string; id: string }
  | { kind: 'append'; log: string; sequence: number; at: number; json: string }
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

/** Collects the frames of a group: commits that are written and synced together. */
export class FrameBuffer {
  #buffer = Buffer.allocUnsafeSlow(256 * 1024);
  #length = 0;
  #group = 0;

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  get length(): number {
    return this.#length;
  }

  clear(): void {
    this.#length = 0;
    if (this.#buffer.length > 8 * 1024 * 1024) this.#buffer = Buffer.allocUnsafeSlow(256 * 1024);
  }

  add({ serial, named, changes }: JournalCommit): void {
    const frame = this.#length;
    if (frame === 0) this.#group = serial;
    this.#room(PREFIX);
    this.#length += PREFIX;
    // One text for all: each writing of a string costs as much as some hundred bytes of it.
    let text = `${serial}\n${this.#group}\n${named === undefined ? '' : JSON.stringify(named)}\n`;
    for (const change of changes) {
      text += linesOf(change);
      if (text.length < WRITTEN_TOGETHER) continue;
      this.#write(text);
      text = '';
    }
    this.#write(`${text}END\n`);
    const end = this.#length - END.length;
    const buffer = this.#buffer;
    buffer.writeUInt32LE(MAGIC_NUMBER, frame);
    buffer.writeUInt32LE(end - frame - PREFIX, frame + BODY_LENGTH_AT);
    buffer.writeUInt32LE(crc32(buffer.subarray(frame + BODY_LENGTH_AT, end)), frame + CRC_AT);
  }

  #write(text: string): void {
    // A UTF-16 unit takes at most three bytes.
    this.#room(text.length * 3);
    this.#length += this.#buffer.write(text, this.#length);
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#length + bytes));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
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
