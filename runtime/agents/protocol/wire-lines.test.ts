import { expect, it } from 'vitest';
import { LineSplitter, NOISE_BYTES } from './wire-lines.ts';

function split(...chunks: string[]) {
  const splitter = new LineSplitter();
  const lines = chunks.flatMap((chunk) => [...splitter.push(new TextEncoder().encode(chunk))]);
  const last = splitter.flush();
  if (last !== undefined) lines.push(last);
  const texts = (kind: string) =>
    lines.filter((line) => line.kind === kind).map(({ bytes }) => new TextDecoder().decode(bytes).trimEnd());
  return { messages: texts('message'), noise: texts('noise'), lines };
}

it('tells messages from the noise between them', () => {
  expect(split('{"a":1}\nwarning: old\n{"b":2}\n')).toMatchObject({
    messages: ['{"a":1}', '{"b":2}'],
    noise: ['warning: old'],
  });
});

it('does not care how the bytes are cut', () => {
  const text = 'Starting…\n{"a":"\\n{x"}\r\n\n  {"b":2}\nnoise { with a brace\n{"c":3}\nend';
  const messages = ['{"a":"\\n{x"}', '{"b":2}', '{"c":3}'];
  expect(split(text)).toMatchObject({ messages, noise: ['Starting…', 'noise { with a brace', 'end'] });
  for (let size = 1; size < 12; size++) {
    const pieces = text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];
    const cut = split(...pieces);
    expect(cut.messages).toEqual(messages);
    expect(cut.noise).toHaveLength(3);
  }
});

it('keeps little of a long noise, and knows how long it was', () => {
  const { lines } = split(...Array(100).fill('x'.repeat(1000)));
  expect(lines).toMatchObject([{ kind: 'noise', totalBytes: 100_000 }]);
  expect(lines[0]?.bytes).toHaveLength(NOISE_BYTES);
});

it('takes a message of 32 MiB and none that is longer', () => {
  const splitter = new LineSplitter();
  const mebibyte = Buffer.alloc(1024 * 1024, '{');
  for (let i = 0; i < 32; i++) expect([...splitter.push(mebibyte)]).toEqual([]);
  expect([...splitter.push(Buffer.from('\n'))][0]?.totalBytes).toBe(32 * 1024 * 1024);
  for (let i = 0; i < 32; i++) expect([...splitter.push(mebibyte)]).toEqual([]);
  expect(() => [...splitter.push(Buffer.from('}'))]).toThrow(
    expect.objectContaining({ code: 'agent.protocol_error' }),
  );
});
