import { crc32 } from 'node:zlib';
import { shortChecksum } from '../checksum.ts';

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
 *     0   'STJ1'
 *     4   bytes of the body
 *     8   bytes of the texts, with which the body begins; the description follows
 *     12  CRC-32 of the bytes 4–12 and of the body
 *     16  body
 *         'END\n'
 *
 * The end mark tells a write that was cut short from one that was damaged later: only the first has none. The description
 * names the first serial of the group with which the commit was written and synced: of the last group perhaps only some
 * blocks reached the disk, in any order, before the power was cut.
 */
const MAGIC = Buffer.from('STJ1');
const END = Buffer.from('END\n');
const MAGIC_NUMBER = MAGIC.readUInt32LE();
const END_NUMBER = END.readUInt32LE();
const PREFIX = 16;

type Described =
  | ['put', string, string, number, string, number | null, number]
  | ['delete', string, string]
  | ['append', string, number, number, number]
  | ['trim', string, number, number];

interface Description {
  serial: number;
  /** The serial of the first commit of the group. */
  group: number;
  named?: JournalCommit['named'];
  changes: Described[];
}

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
    this.#room(PREFIX);
    this.#length += PREFIX;
    if (frame === 0) this.#group = serial;
    // A {@link Description}, put together by hand: JSON.stringify takes three times as long.
    let description = `{"serial":${serial},"group":${this.#group}`;
    if (named !== undefined) description += `,"named":${JSON.stringify(named)}`;
    let before = ',"changes":[';
    for (const change of changes) {
      description += before + this.#describe(change);
      before = ',';
    }
    const texts = this.#length - frame - PREFIX;
    this.#write(changes.length === 0 ? `${description},"changes":[]}` : `${description}]}`);
    const body = this.#length - frame - PREFIX;
    this.#room(END.length);
    const buffer = this.#buffer;
    buffer.writeUInt32LE(MAGIC_NUMBER, frame);
    buffer.writeUInt32LE(body, frame + 4);
    buffer.writeUInt32LE(texts, frame + 8);
    buffer.writeUInt32LE(frameCrc(buffer, frame, body), frame + 12);
    buffer.writeUInt32LE(END_NUMBER, this.#length);
    this.#length += END.length;
  }

  /** Writes the text of a change and answers the rest, a {@link Described}. */
  #describe(change: Change): string {
    switch (change.kind) {
      case 'put': {
        const { collection, id, version, fields, expiresAt } = change;
        const length = this.#write(change.json);
        // No character in the name of a collection is written otherwise in JSON.
        return `["put","${collection}",${quoted(id)},${version},${quoted(fields)},${expiresAt},${length}]`;
      }
      case 'delete':
        return `["delete","${change.collection}",${quoted(change.id)}]`;
      case 'append': {
        const length = this.#write(change.json);
        return `["append",${quoted(change.log)},${change.sequence},${change.at},${length}]`;
      }
      case 'trim':
        return `["trim",${quoted(change.log)},${change.through},${change.last}]`;
    }
  }

  #write(text: string): number {
    // A UTF-16 unit takes at most three bytes.
    this.#room(text.length * 3);
    const bytes = this.#buffer.write(text, this.#length);
    this.#length += bytes;
    return bytes;
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#length + bytes));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

const quoted = (text: string): string => (text === '' ? '""' : JSON.stringify(text));

/** What the frames of a journal file hold. */
export interface JournalContent {
  commits: JournalCommit[];
  /** Bytes of a last write that never completely reached the disk, and was never acknowledged. */
  tornBytes: number;
  /** Where bytes are that were written and are not whole any more. */
  damaged: { offset: number; bytes: number }[];
}

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
    frames.push(decodeFrame(bytes, offset));
    const mark = offset + length;
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
  const body = bytes.readUInt32LE(offset + 4);
  if (offset + PREFIX + body + END.length > bytes.length) return 0;
  return frameCrc(bytes, offset, body) === bytes.readUInt32LE(offset + 12) ? PREFIX + body : 0;
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

function frameCrc(bytes: Buffer, frame: number, body: number): number {
  const lengths = shortChecksum(bytes, frame + 4, frame + 12);
  return crc32(bytes.subarray(frame + PREFIX, frame + PREFIX + body), lengths);
}

function decodeFrame(bytes: Buffer, frame: number): Frame {
  const body = frame + PREFIX;
  const described = body + bytes.readUInt32LE(frame + 8);
  const end = body + bytes.readUInt32LE(frame + 4);
  const description = JSON.parse(bytes.toString('utf8', described, end)) as Description;
  const { serial, group, named, changes } = description;
  let text = body;
  const next = (length: number) => {
    text += length;
    return bytes.toString('utf8', text - length, text);
  };
  const commit = {
    serial,
    ...(named && { named }),
    changes: changes.map((change) => restore(change, next)),
  };
  return { commit, group };
}

/** `next` takes the text of so many bytes that follows. */
function restore(change: Described, next: (bytes: number) => string): Change {
  switch (change[0]) {
    case 'put': {
      const [kind, collection, id, version, fields, expiresAt, length] = change;
      return { kind, collection, id, version, fields, expiresAt, json: next(length) };
    }
    case 'delete':
      return { kind: 'delete', collection: change[1], id: change[2] };
    case 'append': {
      const [kind, log, sequence, at, length] = change;
      return { kind, log, sequence, at, json: next(length) };
    }
    case 'trim':
      return { kind: 'trim', log: change[1], through: change[2], last: change[3] };
  }
}
