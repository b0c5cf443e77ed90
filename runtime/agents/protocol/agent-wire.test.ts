import { PassThrough } from 'node:stream';
import type { AnyMessage } from '@agentclientprotocol/sdk';
import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { openWire, type Wire } from './agent-wire.ts';

function wire(overrides: Partial<Wire> = {}) {
  const stdin = new PassThrough();
  const stdout = new PassThrough();
  /** What the library gets, and the updates. */
  const seen: unknown[] = [];
  const noise: string[] = [];
  const stray: string[] = [];
  const frames: { direction: string; method: string | undefined; text: string }[] = [];
  const stream = openWire({
    stdin,
    stdout,
    onFrame: ({ direction, method, bytes }) =>
      frames.push({ direction, method, text: Buffer.from(bytes).toString() }),
    onNoise: (line) => noise.push(line),
    onStray: (what) => stray.push(what),
    onUpdate: (params) => void seen.push(params),
    onEnd: async (error) => {
      throw new Error('over', { cause: error });
    },
    onWriteFailed: (error) => seen.push(error),
    ...overrides,
  });
  const readAll = async () => {
    for await (const message of stream.readable) seen.push(message);
  };
  const writer = stream.writable.getWriter();
  /** Sends a request, so that an answer with this id is awaited. */
  const request = (id: number, method = 'session/new') =>
    writer.write({ jsonrpc: '2.0', id, method } as AnyMessage);
  return { stdin, stdout, seen, noise, stray, frames, writer, readAll, request };
}

const update = (text: string) =>
  `{"jsonrpc":"2.0","method":"session/update","params":{"text":${JSON.stringify(text)}}}\n`;

it('gives updates to their taker, in order and before what follows them', async () => {
  const { stdout, seen, readAll, request } = wire();
  await request(1);
  stdout.write(
    '{"jsonrpc":"2.0","method":"session/update","params":{"update":{"sessionUpdate":"hologram"}}}\n',
  );
  stdout.write('noise\n{"jsonrpc":"2.0","method":"session/update","params":2}\n');
  stdout.end('{"jsonrpc":"2.0","id":1,"result":{}}\n');
  await expect(readAll()).rejects.toThrow('over');
  expect(seen).toEqual([{ update: { sessionUpdate: 'hologram' } }, 2, { jsonrpc: '2.0', id: 1, result: {} }]);
});

it('answers what is not JSON with a JSON-RPC error and goes on', async () => {
  const { stdin, stdout, seen, readAll, request } = wire();
  await request(1);
  stdin.read();
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
    cause: expect.objectContaining({
      code: 'agent.protocol_error',
      message: expect.stringContaining('32 MiB'),
    }),
  });
});

it('takes a destroyed stdout for its end', async () => {
  const { stdout, readAll } = wire();
  const over = readAll();
  stdout.destroy();
  await expect(over).rejects.toMatchObject({ message: 'over', cause: undefined });
});

it('tells what could not be written', async () => {
  const { stdin, request, seen } = wire();
  stdin.destroy();
  await request(1);
  expect(seen).toEqual([expect.objectContaining({ code: 'ERR_STREAM_DESTROYED' })]);
});

it('passes on requests and awaited answers, and drops what belongs to nothing', async () => {
  const { stdout, seen, stray, readAll, request } = wire();
  await request(7);
  stdout.write('{"jsonrpc":"2.0","id":8,"result":{"wrong":"id"}}\n');
  stdout.write('{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}\n');
  stdout.write('{"jsonrpc":"2.0","id":7,"result":{"first":true}}\n');
  stdout.write('{"jsonrpc":"2.0","id":7,"result":{"second":true}}\n');
  stdout.write('{"jsonrpc":"2.0","id":"a","method":"session/request_permission"}\n');
  stdout.write('{"jsonrpc":"2.0","id":"a","method":"session/request_permission"}\n');
  stdout.write('{"jsonrpc":"2.0","method":"_vendor/progress"}\n');
  stdout.write('{"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":"a"}}\n');
  stdout.end();
  await expect(readAll()).rejects.toThrow('over');
  expect(seen).toMatchObject([
    { id: 7, result: { first: true } },
    { id: 'a', method: 'session/request_permission' },
    { method: '$/cancel_request' },
  ]);
  expect(stray).toEqual([
    'nobody waits for an answer with the id 8',
    'an answer has no usable id',
    'nobody waits for an answer with the id 7',
    'the request session/request_permission has the id a of another one that waits',
  ]);
});

it('takes the id of a request of the agent again once it was answered', async () => {
  const { stdout, seen, writer, readAll } = wire();
  const over = readAll();
  const ask = '{"jsonrpc":"2.0","id":1,"method":"session/request_permission"}\n';
  stdout.write(ask);
  await vi.waitFor(() => expect(seen).toHaveLength(1));
  await writer.write({ jsonrpc: '2.0', id: 1, result: {} });
  stdout.end(ask);
  await expect(over).rejects.toThrow('over');
  expect(seen).toHaveLength(2);
});

it('tells both directions as frames, an answer with the method of its request', async () => {
  const { stdout, frames, writer, readAll, request } = wire();
  await request(1, 'initialize');
  stdout.write('hello\n{"jsonrpc":"2.0","id":1,"result":{}}\n');
  stdout.write('{"jsonrpc":"2.0","id":5,"method":"session/request_permission"}\n');
  const over = readAll();
  await vi.waitFor(() => expect(frames).toHaveLength(4));
  await writer.write({ jsonrpc: '2.0', id: 5, result: {} });
  stdout.end();
  await expect(over).rejects.toThrow('over');
  expect(frames).toEqual([
    { direction: 'sent', method: 'initialize', text: '{"jsonrpc":"2.0","id":1,"method":"initialize"}' },
    { direction: 'noise', method: undefined, text: 'hello' },
    { direction: 'received', method: 'initialize', text: '{"jsonrpc":"2.0","id":1,"result":{}}' },
    {
      direction: 'received',
      method: 'session/request_permission',
      text: '{"jsonrpc":"2.0","id":5,"method":"session/request_permission"}',
    },
    { direction: 'sent', method: 'session/request_permission', text: '{"jsonrpc":"2.0","id":5,"result":{}}' },
  ]);
});

it('reads no more while the taker of an update is not ready, and what it has read waits with the agent', async () => {
  let ready = Promise.withResolvers<void>();
  const taken: unknown[] = [];
  const { stdout, readAll } = wire({
    onUpdate: (params) => {
      taken.push(params);
      return ready.promise;
    },
  });
  const over = readAll();
  // More than the buffers of the stream hold.
  let written = 0;
  const isFull = () => !stdout.write(update(`${written++} ${'x'.repeat(1000)}`));
  while (!isFull());
  await vi.waitFor(() => expect(taken).toHaveLength(1));
  const buffered = stdout.readableLength + stdout.writableLength;
  expect(buffered).toBeGreaterThan(0);
  for (let count = 2; count <= 4; count++) {
    const before = ready;
    ready = Promise.withResolvers();
    before.resolve();
    await vi.waitFor(() => expect(taken).toHaveLength(count));
  }
  ready.resolve();
  stdout.end();
  await expect(over).rejects.toThrow('over');
  expect(taken).toHaveLength(written);
});

it('survives bytes that are no UTF-8 and any nesting', async () => {
  const { stdout, seen, noise, readAll, request } = wire();
  await request(1);
  stdout.write(
    Buffer.concat([
      Buffer.from('{"jsonrpc":"2.0","id":1,"result":"'),
      Buffer.from([0xff, 0xc0]),
      Buffer.from('"}\n'),
    ]),
  );
  const depth = 200_000;
  stdout.write(
    `{"jsonrpc":"2.0","method":"session/update","params":${'['.repeat(depth)}${']'.repeat(depth)}}\n`,
  );
  stdout.write(`{"a":${'['.repeat(depth)}\n`);
  stdout.end(update('alive'));
  await expect(readAll()).rejects.toThrow('over');
  expect(seen[0]).toEqual({ jsonrpc: '2.0', id: 1, result: '\ufffd\ufffd' });
  expect(seen).toHaveLength(3);
  expect(seen[2]).toEqual({ text: 'alive' });
  expect(noise).toHaveLength(1);
});

it('takes messages that do not say their version', async () => {
  const { stdout, seen, readAll, request } = wire();
  await request(1);
  stdout.end('{"id":1,"result":{}}\n{"jsonrpc":"1.0","id":5,"method":"x"}\n');
  await expect(readAll()).rejects.toThrow('over');
  expect(seen).toEqual([
    { jsonrpc: '2.0', id: 1, result: {} },
    { jsonrpc: '2.0', id: 5, method: 'x' },
  ]);
});

it('takes an answer that has all members of a message for what it is', async () => {
  const { stdout, seen, readAll, request } = wire();
  for (const id of [1, 2, 3]) await request(id);
  stdout.write('{"jsonrpc":"2.0","id":1,"method":null,"params":null,"result":{"a":1},"error":null}\n');
  stdout.write('{"jsonrpc":"2.0","id":2,"result":null,"error":{"code":-32603,"message":"no"}}\n');
  stdout.end('{"jsonrpc":"2.0","id":3,"result":null,"error":null}\n');
  await expect(readAll()).rejects.toThrow('over');
  expect(seen).toEqual([
    { jsonrpc: '2.0', id: 1, params: null, result: { a: 1 } },
    { jsonrpc: '2.0', id: 2, error: { code: -32603, message: 'no' } },
    { jsonrpc: '2.0', id: 3, result: null },
  ]);
});

it('never fails on what is read, and takes the next update all the same', async () => {
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.json().map((text) => new TextEncoder().encode(text)),
    fc
      .record(
        {
          jsonrpc: fc.constantFrom('2.0', 2, null),
          id: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constantFrom(null, 'a', {}, [])),
          method: fc.constantFrom('session/update', 'session/request_permission', 'x', 7, null),
          params: fc.jsonValue(),
          result: fc.jsonValue(),
          error: fc.jsonValue(),
        },
        { requiredKeys: [] },
      )
      .map((message) => new TextEncoder().encode(JSON.stringify(message))),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(anything, { maxLength: 30 }), async (lines) => {
      const { stdin, stdout, seen, readAll, request } = wire();
      stdin.resume();
      await request(1);
      for (const line of lines) {
        stdout.write(line);
        stdout.write('\n');
      }
      stdout.end(update('alive'));
      await expect(readAll()).rejects.toThrow('over');
      expect(seen.at(-1)).toEqual({ text: 'alive' });
    }),
  );
});

it('answers only the first lines of garbage', async () => {
  const { stdin, stdout, noise, readAll } = wire();
  stdout.end('{oops\n'.repeat(1000));
  await expect(readAll()).rejects.toThrow('over');
  expect(noise).toHaveLength(1000);
  expect(String(stdin.read()).trim().split('\n')).toHaveLength(20);
});
