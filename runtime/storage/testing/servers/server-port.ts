import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Redis' cluster bus listens this much above the port of the clients. */
const BUS_OFFSET = 10_000;

/**
 * A port on loopback that nobody listens on, and the one 10,000 above it, which a Redis cluster takes as well. Below the
 * ports that systems give to outgoing connections (32768 and up on Linux): a client that keeps trying to reach a server
 * that is down could be given the server's own port, and then it talks to itself and the server cannot come back.
 */
export async function serverPort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(12_000, 22_000);
    if ((await isFree(port)) && (await isFree(port + BUS_OFFSET))) return port;
  }
  throw new Error('No port on loopback between 12000 and 22000 is free.');
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
