import { expect, it } from 'vitest';
import { bindMessage } from './bind-message.ts';

/** The statement and the values that a server reads out of the message, and what is behind them. */
function read(message: Buffer) {
  const size = message.readInt32BE(1);
  let at = 5;
  const name = () => {
    const end = message.indexOf(0, at);
    const text = message.toString('latin1', at, end);
    at = end + 1;
    return text;
  };
  const count = () => {
    at += 2;
    return message.readUInt16BE(at - 2);
  };
  const [portal, statement] = [name(), name()];
  const formats = Array.from({ length: count() }, count);
  const values = Array.from({ length: count() }, (_, i) => {
    const length = message.readInt32BE(at);
    at += 4;
    if (length < 0) return null;
    const bytes = message.subarray(at, at + length);
    at += length;
    return formats[i] === 1 ? bytes : bytes.toString();
  });
  const results = count();
  return {
    kind: message.toString('latin1', 0, 1),
    portal,
    statement,
    values,
    results,
    at,
    size,
    rest: message.subarray(at),
  };
}

const EXECUTE_AND_SYNC = Buffer.from('E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04', 'latin1');

it.each<[string, unknown[], unknown[]]>([
  ['nothing', [], []],
  [
    'every kind of value',
    ['text', 12, 2 ** 53 - 1, -1, true, null, undefined, Buffer.from([0, 255])],
    ['text', '12', '9007199254740991', '-1', 'true', null, null, Buffer.from([0, 255])],
  ],
  ['text of any script', ['Zoë 漢字 🙂', ''], ['Zoë 漢字 🙂', '']],
  [
    'many values',
    Array.from({ length: 3_000 }, (_, i) => i),
    Array.from({ length: 3_000 }, (_, i) => `${i}`),
  ],
  ['long text', ['漢'.repeat(100_000), 'x'.repeat(200_000)], ['漢'.repeat(100_000), 'x'.repeat(200_000)]],
  ['long bytes', [Buffer.alloc(3_000_000, 7), 'x'], [Buffer.alloc(3_000_000, 7), 'x']],
  ['short values behind long ones', ['short'], ['short']],
])('writes %s', (_name, values, expected) => {
  const message = read(bindMessage('the_statement', values));
  expect(message).toMatchObject({ kind: 'B', portal: '', statement: 'the_statement', results: 0 });
  expect(message.size).toBe(message.at - 1);
  expect(message.values).toEqual(expected);
  expect(message.rest).toEqual(EXECUTE_AND_SYNC);
});

it('leaves a message as it is when it makes the next one', () => {
  const first = bindMessage('a', ['first']);
  bindMessage('a', ['other']);
  expect(read(first).values).toEqual(['first']);
});
