import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { serverPort } from './server-port.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

let proxy: TcpProxy;
/** All that the server has been sent, over all connections. */
let received: string;

/** A server that answers each piece with “got <piece>”. */
beforeEach(async () => {
  received = '';
  const port = await serverPort();
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (piece) => {
      received += piece;
      socket.write(`got ${piece}`);
    });
  }).listen(port, '127.0.0.1');
  await once(server, 'listening');
  proxy = await startTcpProxy({ port });
  onTestFinished(async () => {
    await proxy.close();
    server.close();
    await once(server, 'close');
  });
});

async function client(): Promise<Socket> {
  const socket = connect(proxy.port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  // A connection may be reset when nobody is waiting for its answer.
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

async function ask(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [answer] = await once(socket, 'data');
  return String(answer);
}

it('passes on what both sides say', async () => {
  const socket = await client();
  expect(await ask(socket, 'one')).toBe('got one');
  expect(await ask(socket, 'two')).toBe('got two');
  expect(await ask(await client(), 'three')).toBe('got three');
  expect([proxy.accepted, proxy.open]).toEqual([2, 2]);
});

it('passes on more than fits into the buffers', async () => {
  const socket = await client();
  const large = 'x'.repeat(8 * 1024 * 1024);
  socket.write(large);
  await expect.poll(() => received.length, { timeout: 20_000 }).toBe(large.length);
});

it('resets all connections with cut, and takes new ones', async () => {
  const socket = await client();
  await ask(socket, 'one');
  proxy.cut();
  await expect(once(socket, 'data')).rejects.toMatchObject({ code: 'ECONNRESET' });
  expect(await ask(await client(), 'two')).toBe('got two');
  await expect.poll(() => proxy.open).toBe(1);
});

it('holds everything back with hang, and passes it on with heal', async () => {
  const socket = await client();
  await ask(socket, 'one');
  proxy.hang();
  const late = await client();
  const answers = Promise.all([ask(socket, 'two'), ask(late, 'three')]);
  expect(await Promise.race([answers, wait(50, 'silence')])).toBe('silence');
  await proxy.heal();
  expect(await answers).toEqual(['got two', 'got three']);
});

it('takes nobody with refuse, and everybody again with heal, on the same port', async () => {
  const { port } = proxy;
  const socket = await client();
  await ask(socket, 'one');
  await proxy.refuse();
  await expect(client()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await proxy.heal();
  expect(proxy.port).toBe(port);
  expect(await ask(await client(), 'two')).toBe('got two');
});

it('cuts the request that it is told to, before and in the middle of it', async () => {
  const before = proxy.cutRequest('secret');
  const first = await client();
  expect(await ask(first, 'harmless')).toBe('got harmless');
  await expect(ask(first, 'a secret')).rejects.toMatchObject({ code: 'ECONNRESET' });
  await before;
  const middle = proxy.cutRequest('secret', (piece) => piece.length / 2);
  await expect(ask(await client(), 'a secret')).rejects.toMatchObject({ code: 'ECONNRESET' });
  await middle;
  await expect.poll(() => received).toBe('harmlessa se');
  expect(await ask(await client(), 'secret')).toBe('got secret');
});

it('drops the answers to the request that it is told to', async () => {
  const socket = await client();
  const dropped = proxy.dropAnswer('secret');
  const answer = ask(socket, 'a secret');
  await dropped;
  expect(received).toBe('a secret');
  expect(await Promise.race([answer, wait(50, 'silence')])).toBe('silence');
  const reset = expect(answer).rejects.toMatchObject({ code: 'ECONNRESET' });
  proxy.cut();
  await reset;
  expect(await ask(await client(), 'secret')).toBe('got secret');
});
