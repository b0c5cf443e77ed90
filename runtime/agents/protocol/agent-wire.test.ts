import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { messageLines, openWire } from './agent-wire.ts';

async function filtered(...chunks: string[]) {
  const noise: string[] = [];
  let kept = '';
  async function* source() {
    for (const chunk of chunks) yield new TextEncoder().encode(chunk);
  }
  for await (const bytes of messageLines(source(), (line) => noise.push(line))) {
    kept += new TextDecoder().decode(bytes);
  }
  return { kept, noise };
}

it('passes messages on and drops the noise between them', async () => {
  expect(await filtered('{"a":1}\nwarning: old\n{"b":2}\n')).toEqual({
    kept: '{"a":1}\n{"b":2}\n',
    noise: ['warning: old'],
  });
});

it('does not care how the bytes are cut', async () => {
  const text = 'Starting…\n{"a":"\\n{x"}\r\n\n  {"b":2}\nnoise { with a brace\n{"c":3}\nend';
  const whole = await filtered(text);
  expect(whole.noise).toEqual(['Starting…', 'noise { with a brace', 'end']);
  for (let size = 1; size < 12; size++) {
    const pieces = text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];
    const { kept, noise } = await filtered(...pieces);
    expect(
      kept
        .split('\n')
        .filter((line) => line.trim() !== '')
        .map((line) => line.trim()),
    ).toEqual(['{"a":"\\n{x"}', '{"b":2}', '{"c":3}']);
    expect(noise).toHaveLength(3);
  }
});

it('keeps little of a long noise', async () => {
  const { noise } = await filtered(...Array(100).fill('x'.repeat(1000)));
  expect(noise).toEqual(['x'.repeat(500)]);
});

function wire() {
  const stdin = new PassThrough();
  const stdout = new PassThrough();
  const seen: unknown[] = [];
  const stream = openWire({
    stdin,
    stdout,
    onNoise: () => undefined,
    onUpdate: (params) => seen.push(params),
    onEnd: async (error) => {
      throw new Error('over', { cause: error });
    },
    onWriteFailed: (error) => seen.push(error),
  });
  const readAll = async () => {
    for await (const message of stream.readable) seen.push(message);
  };
  return { stdin, stdout, seen, stream, readAll };
}

it('gives updates to their taker, in order and before what follows them', async () => {
  const { stdout, seen, readAll } = wire();
  stdout.write(
    '{"jsonrpc":"2.0","method":"session/update","params":{"update":{"sessionUpdate":"hologram"}}}\n',
  );
  stdout.write('noise\n{"jsonrpc":"2.0","method":"session/update","params":2}\n');
  stdout.end('{"jsonrpc":"2.0","id":1,"result":{}}\n');
  await expect(readAll()).rejects.toThrow('over');
  expect(seen).toEqual([{ update: { sessionUpdate: 'hologram' } }, 2, { jsonrpc: '2.0', id: 1, result: {} }]);
});

it('answers what is not JSON with a JSON-RPC error and goes on', async () => {
  const { stdin, stdout, seen, readAll } = wire();
  stdout.end('{not json\n{"jsonrpc":"2.0","id":1,"result":{}}\n');
  await expect(readAll()).rejects.toThrow('over');
  expect(seen).toEqual([{ jsonrpc: '2.0', id: 1, result: {} }]);
  expect(JSON.parse(String(stdin.read()))).toMatchObject({ id: null, error: { code: -32700 } });
});

it('ends with the reason when a message is too large', async () => {
  const { stdout, readAll } = wire();
  stdout.write('{"a":"');
  for (let i = 0; i < 33; i++) stdout.write('x'.repeat(1024 * 1024));
  await expect(readAll()).rejects.toMatchObject({
    cause: expect.objectContaining({ name: 'MessageTooLargeError' }),
  });
});

it('takes a destroyed stdout for its end', async () => {
  const { stdout, readAll } = wire();
  const over = readAll();
  stdout.destroy();
  await expect(over).rejects.toMatchObject({ message: 'over', cause: undefined });
});

it('tells what could not be written', async () => {
  const { stdin, stream, seen } = wire();
  stdin.destroy();
  const writer = stream.writable.getWriter();
  await writer.write({ jsonrpc: '2.0', id: 1, method: 'initialize' });
  expect(seen).toEqual([expect.objectContaining({ code: 'ERR_STREAM_DESTROYED' })]);
});
