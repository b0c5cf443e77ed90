import { once } from 'node:events';
import { createServer } from 'node:net';

/** The wanted port on loopback when nobody listens there; otherwise one that the system chooses. */
export async function freePort(wanted: number): Promise<number> {
  const server = createServer();
  try {
    server.listen(wanted, '127.0.0.1');
    await once(server, 'listening');
  } catch {
    return wanted === 0 ? Promise.reject(new Error('No port on loopback is free.')) : freePort(0);
  }
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : wanted;
}
