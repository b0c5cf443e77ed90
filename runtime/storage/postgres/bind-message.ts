/** What asks a server to carry out a prepared statement, as one piece of the protocol of PostgreSQL. */

const BIND = 0x42;
/** A portal without a name, all of its rows; then the end of what goes together. */
const EXECUTE_AND_SYNC = Buffer.from([0x45, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0x53, 0, 0, 0, 4]);
/** Bytes that the text of a number, a truth value or a statement's name takes at most. */
const SHORT_BYTES = 256;
/** Bytes of one character of a text, at most. */
const CHARACTER_BYTES = 3;
/** Of longer texts it is asked how many bytes they take, so that no more are reserved. */
const LONG_TEXT = 16 * 1024;
const SHORT_TEXT = 32;
const LAST_ASCII = 0x7f;
const FIRST_BYTES = 64 * 1024;
const KEPT_BYTES = 1024 * 1024;

/** What is being written; kept from one message to the next unless a long one has made it large. */
let scratch = Buffer.allocUnsafeSlow(FIRST_BYTES);
let end = 0;

/**
 * The messages Bind, Execute and Sync. They are written at once and in one go: three writes are collected by the stream, which
 * costs as much as all the values. Values are text, numbers, truth values, bytes or null; text must be well-formed.
 */
export function bindMessage(statement: string, values: readonly unknown[]): Buffer {
  end = 0;
  reserve(SHORT_BYTES + 2 * values.length);
  scratch[end] = BIND;
  // Its length comes last; the portal has no name.
  scratch[end + 5] = 0;
  end += 6;
  end += writeText(statement, end);
  scratch[end++] = 0;
  writeCount(values.length);
  for (const value of values) writeCount(value instanceof Buffer ? 1 : 0);
  writeCount(values.length);
  for (const value of values) writeValue(value);
  // All columns of the answer as text.
  reserve(2 + EXECUTE_AND_SYNC.length);
  writeCount(0);
  writeInteger(1, end - 1);
  end += EXECUTE_AND_SYNC.copy(scratch, end);
  if (scratch.length > KEPT_BYTES) {
    const message = scratch.subarray(0, end);
    scratch = Buffer.allocUnsafeSlow(FIRST_BYTES);
    return message;
  }
  const message = Buffer.allocUnsafe(end);
  scratch.copy(message, 0, 0, end);
  return message;
}

function writeCount(count: number): void {
  scratch[end++] = count >>> 8;
  scratch[end++] = count;
}

function writeInteger(at: number, integer: number): void {
  scratch[at] = integer >>> 24;
  scratch[at + 1] = integer >>> 16;
  scratch[at + 2] = integer >>> 8;
  scratch[at + 3] = integer;
}

function writeValue(value: unknown): void {
  if (value === null || value === undefined) {
    reserve(4);
    writeInteger(end, -1);
    end += 4;
  } else if (value instanceof Buffer) {
    reserve(4 + value.length);
    writeInteger(end, value.length);
    end += 4 + value.copy(scratch, end + 4);
  } else {
    const text = typeof value === 'string' ? value : String(value);
    reserve(4 + (text.length > LONG_TEXT ? Buffer.byteLength(text) : CHARACTER_BYTES * text.length));
    const length = writeText(text, end + 4);
    writeInteger(end, length);
    end += 4 + length;
  }
}

/** Answers how many bytes it took. Short texts are mostly ASCII, and to call for one takes longer than to write it. */
function writeText(text: string, at: number): number {
  if (text.length > SHORT_TEXT) return scratch.write(text, at);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > LAST_ASCII) return scratch.write(text, at);
    scratch[at + i] = code;
  }
  return text.length;
}

/** Sees to it that so many bytes more can be written. */
function reserve(bytes: number): void {
  if (end + bytes <= scratch.length) return;
  const larger = Buffer.allocUnsafeSlow(Math.max(end + bytes, 2 * scratch.length));
  scratch.copy(larger, 0, 0, end);
  scratch = larger;
}
