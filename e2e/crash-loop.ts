/**
 * The whole product under SIGKILL: clients prompt over HTTP, the process is killed at a random moment, started again on
 * the same data, and every prompt that was acknowledged with 202 or 201 must be there. Used by the suite and by
 * `npm run bench:crash -- --product`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SessionDetail, Turn } from '../runtime/contract/index.ts';
import { type Product, startHeadless } from './start-headless.ts';

export interface CrashLoopResult {
  cycles: number;
  acknowledged: number;
  /** Turns that were running when the process was killed, all found marked. */
  interrupted: number;
}

interface Acknowledged {
  sessionId: string;
  text: string;
}

/** Clients that prompt at the same time, each in sessions of its own. */
const CLIENTS = 8;
/** The kill comes at a random moment within this many milliseconds of load. */
const LOAD_MS = 600;

/** Throws with what was lost, doubled or left "running". `random` answers 0 to 1. */
export async function crashLoop(options: {
  cycles: number;
  random?: () => number;
  onCycle?: (cycle: number, acknowledged: number) => void;
}): Promise<CrashLoopResult> {
  const random = options.random ?? Math.random;
  const dataDir = await mkdtemp(join(tmpdir(), 'smalltalk-crash-'));
  const acknowledged: Acknowledged[] = [];
  let interrupted = 0;
  for (let cycle = 1; cycle <= options.cycles; cycle++) {
    const product = await startHeadless({
      dataDir,
      env: { MAX_CONCURRENT_SESSIONS: '100000', LOG_LEVEL: 'error' },
    });
    const fresh: Acknowledged[] = [];
    const clients = Array.from({ length: CLIENTS }, (_, client) =>
      load(product, `${cycle}-${client}`, fresh),
    );
    const loaded = Promise.allSettled(clients);
    await new Promise((resolve) => setTimeout(resolve, 50 + random() * LOAD_MS));
    await product.kill('SIGKILL');
    await loaded;
    acknowledged.push(...fresh);

    const again = await startHeadless({
      dataDir,
      env: { MAX_CONCURRENT_SESSIONS: '100000', LOG_LEVEL: 'error' },
    });
    interrupted += await verify(again, fresh);
    if (cycle === options.cycles) await verify(again, acknowledged);
    // The last one in order: what it started is gone then, and nothing is written any more.
    if (cycle === options.cycles) await again.stop();
    else await again.kill('SIGKILL');
    options.onCycle?.(cycle, acknowledged.length);
  }
  await rm(dataDir, { recursive: true, force: true });
  return { cycles: options.cycles, acknowledged: acknowledged.length, interrupted };
}

function call(product: Product, path: string, body?: unknown): Promise<Response> {
  return fetch(new URL(path, product.origin), {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${product.token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

/** Prompts until the process is gone; ends by rejecting then. */
async function load(product: Product, name: string, acknowledged: Acknowledged[]): Promise<void> {
  for (let number = 1; ; number++) {
    const first = `prompt ${name}-${number} first`;
    const created = await call(product, '/api/sessions', { message: first });
    if (created.status !== 201) throw new Error(`Create answered ${created.status}: ${await created.text()}`);
    const { id } = (await created.json()) as { id: string };
    acknowledged.push({ sessionId: id, text: first });
    const second = `prompt ${name}-${number} second`;
    const prompted = await call(product, `/api/sessions/${id}/prompt`, { message: second });
    if (prompted.status === 202) {
      await prompted.json();
      acknowledged.push({ sessionId: id, text: second });
    } else if (prompted.status !== 409) {
      throw new Error(`Prompt answered ${prompted.status}: ${await prompted.text()}`);
    }
  }
}

/** Every acknowledged prompt is there exactly once, and nothing runs that does not. Answers how many turns were interrupted. */
async function verify(product: Product, acknowledged: Acknowledged[]): Promise<number> {
  const expected = new Map<string, string[]>();
  for (const { sessionId, text } of acknowledged)
    expected.set(sessionId, [...(expected.get(sessionId) ?? []), text]);
  let interrupted = 0;
  for (const [sessionId, texts] of expected) {
    const answer = await call(product, `/api/sessions/${sessionId}`);
    if (answer.status !== 200)
      throw new Error(`Session ${sessionId} was acknowledged and is gone (${answer.status})`);
    const session = (await answer.json()) as SessionDetail;
    for (const text of texts) {
      const found = session.messages.filter(
        (message) => message.role === 'user' && message.text === text,
      ).length;
      if (found !== 1) throw new Error(`"${text}" was acknowledged and is there ${found} times`);
    }
    const running = session.turns.filter((turn: Turn) => turn.state === 'running');
    if (session.status === 'busy' || running.length > 0)
      throw new Error(`Session ${sessionId} is "running" after a kill`);
    interrupted += session.turns.filter((turn) => turn.state === 'interrupted').length;
  }
  return interrupted;
}
