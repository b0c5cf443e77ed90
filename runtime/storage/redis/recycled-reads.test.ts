import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { RecycledReads } from './recycled-reads.ts';

/** A socket of `reads`, the other end of it, and the pieces that have come. */
async function pair(reads: RecycledReads) {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<Socket[]>;
  const socket = reads.connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  const pieces: Buffer[] = [];
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  const [other] = (await accepted) as [Socket];
  onTestFinished(async () => {
    socket.destroy();
    other.destroy();
    server.close();
    await once(server, 'close');
  });
  /** Resolves with what has come since, when all of it is there. */
  const sent = async (bytes: Buffer): Promise<Buffer[]> => {
    pieces.length = 0;
    other.write(bytes);
    while (pieces.reduce((sum, piece) => sum + piece.length, 0) < bytes.length) await once(socket, 'data');
    return [...pieces];
  };
  return { sent };
}

describe('reads that are recycled', () => {
  const text = (character: string) => Buffer.alloc(300_000, character);

  it('keep what was read until they are told, and use its memory again then', async () => {
    const reads = new RecycledReads();
    const { sent } = await pair(reads);
    const first = await sent(text('a'));
    const second = await sent(text('b'));
    expect(Buffer.concat(first).equals(text('a'))).toBe(true);
    expect(Buffer.concat(second).equals(text('b'))).toBe(true);
    reads.recycle();
    const known = new Set([...first, ...second].map(({ buffer }) => buffer));
    const third = await sent(text('c'));
    expect(Buffer.concat(third).equals(text('c'))).toBe(true);
    expect(third.some(({ buffer }) => known.has(buffer))).toBe(true);
  });

  it('take no more memory for an answer that comes in many small pieces', async () => {
    const { sent } = await pair(new RecycledReads());
    const pieces: Buffer[] = [];
    for (let i = 0; i < 100; i++) pieces.push(...(await sent(Buffer.alloc(1_000, i))));
    for (const [i, piece] of pieces.entries()) expect(piece.equals(Buffer.alloc(1_000, i))).toBe(true);
    expect(new Set(pieces.map(({ buffer }) => buffer)).size).toBeLessThan(5);
  });

  it('share no memory between two sockets', async () => {
    const reads = new RecycledReads();
    const one = await pair(reads);
    const before = await one.sent(text('a'));
    const two = await pair(reads);
    reads.recycle();
    const after = await two.sent(text('b'));
    expect(Buffer.concat(before).equals(text('a'))).toBe(true);
    expect(Buffer.concat(after).equals(text('b'))).toBe(true);
  });
});
