import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'vitest';
import type { CodedError } from '../../../base/errors.ts';
import type { Operation, Storage } from '../../storage.ts';
import type { TestServer } from '../../testing/servers/server-process.ts';
import type { TcpProxy } from '../../testing/servers/tcp-proxy.ts';

/** What the cases of the faults get to work with; all of it is of the case that is running. */
export interface RemoteFaultFixture {
  readonly server: TestServer;
  /** In front of the server. */
  readonly proxy: TcpProxy;
  /** Open, through the proxy. */
  readonly storage: Storage;
  /** Open on the same data, past the proxy: what is really there. */
  readonly direct: Storage;
  /** One more through the proxy, not open, on data of its own; the server must run for it. */
  connect(data: string): Promise<Storage>;
}

/** A server takes a second to come back on a busy machine, and a call may try for as long as that is allowed to. */
export const PATIENCE = { timeout: 120_000 };
/** No call may take longer, whatever becomes of the server: the longest time-out of the adapters with all their tries. */
const DEADLINE_MS = 25_000;

export const put = (id: string, value: unknown): Operation => ({
  kind: 'put',
  collection: 'values',
  id,
  value,
});
export const append = (value: unknown): Operation => ({ kind: 'append', log: 'events', value });

/** What a call came to; fails the case when it does not end in time. */
export async function outcomeOf<T>(call: Promise<T>): Promise<T | CodedError> {
  const ended = new AbortController();
  const late = async () => {
    await wait(DEADLINE_MS, undefined, { signal: ended.signal });
    throw new Error(`A call has not ended within ${DEADLINE_MS / 1000} s.`);
  };
  try {
    const guard = late();
    // When the call ends first, nobody hears of the guard that was called off.
    guard.catch(() => undefined);
    return await Promise.race([call.catch((error: CodedError) => error), guard]);
  } finally {
    ended.abort();
  }
}

/** Until a server has carried out the commit that puts a document. */
export async function untilThere(direct: Storage, id: string): Promise<void> {
  await expect
    .poll(async () => (await direct.get('values', id))?.value, { timeout: DEADLINE_MS })
    .toBeDefined();
}
