/** Many sessions that stream at once, through the whole product: agent, sessions, storage, events, `fetch`. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import type { Agent, LiveEvents, Session } from '../../runtime/contract/index.ts';
import { createRuntime } from '../../runtime/index.ts';
import { loadSettings } from '../../runtime/settings/load-settings.ts';
import { processorMs } from './processor-time.ts';

const READY_TIMEOUT_MS = 60_000;
const READY_CHECK_MS = 20;

export interface StreamResult {
  /** From the moment at which the agent wrote a piece to the moment at which the reader of the stream has it. */
  latenciesMs: number[];
  expected: number;
  /** Of the runtime, of one core. */
  cpuPercent: number;
}

export async function measureStreams(
  dataDir: string,
  work: { agents: number; sessions: number; pieces: number; perSecond: number },
): Promise<StreamResult> {
  const runtime = await createRuntime({
    settings: loadSettings({ env: { DATA_DIR: dataDir, LOG_LEVEL: 'ERROR' } }),
    mode: 'desktop',
    auth: { mode: 'trusted' },
    writeLog: (line) => process.stderr.write(line),
  });
  await runtime.start();
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const answer = await runtime.fetch(
      new Request(`http://localhost/api${path}`, {
        method,
        headers: { 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    );
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json() as Promise<T>;
  };
  const stop = new AbortController();
  try {
    const agents = await Promise.all(
      Array.from({ length: work.agents }, (_, i) =>
        call<Agent>('POST', '/agents', {
          name: `Stream ${i}`,
          launch: {
            kind: 'command',
            command: process.execPath,
            args: [
              join(import.meta.dirname, 'streaming-agent.ts'),
              String(work.pieces),
              String(work.perSecond),
            ],
          },
        }),
      ),
    );
    await healthy(agents, (id) => call<Agent>('GET', `/agents/${id}`));
    const sessions = await Promise.all(
      Array.from({ length: work.sessions }, (_, i) =>
        call<Session>('POST', '/sessions', { agentId: agents[i % agents.length]?.id }),
      ),
    );
    const latenciesMs: number[] = [];
    const expected = work.sessions * work.pieces;
    const stream = await runtime.fetch(
      new Request('http://localhost/api/events/stream?topics=session.message.delta', { signal: stop.signal }),
    );
    const read = readDeltas(stream, latenciesMs, expected);
    const cpuBefore = processorMs(process.pid);
    const startedAt = performance.now();
    await Promise.all(sessions.map(({ id }) => call('POST', `/sessions/${id}/prompt`, { message: 'go' })));
    await read;
    const cpuPercent = ((processorMs(process.pid) - cpuBefore) / (performance.now() - startedAt)) * 100;
    return { latenciesMs, expected, cpuPercent };
  } finally {
    stop.abort();
    await runtime.stop();
  }
}

async function healthy(agents: Agent[], get: (id: string) => Promise<Agent>): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  for (const { id } of agents) {
    for (;;) {
      const { state, reason } = await get(id);
      if (state === 'healthy') break;
      if (performance.now() > deadline) throw new Error(`The agent ${id} is ${state}: ${reason}`);
      await pause(READY_CHECK_MS);
    }
  }
}

/** Resolves when all pieces were read; rejects when none comes any more. What is merged on the way counts as its pieces. */
async function readDeltas(response: Response, latenciesMs: number[], expected: number): Promise<void> {
  const body = response.body as ReadableStream<Uint8Array<ArrayBuffer>>;
  const events = body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  for await (const { data } of events) {
    const event = JSON.parse(data) as { type?: string; data?: LiveEvents['session.message.delta'] };
    if (event.type !== 'session.message.delta' || event.data?.role !== 'agent') continue;
    const now = performance.timeOrigin + performance.now();
    for (const written of event.data.text.trim().split(' ')) latenciesMs.push(now - Number(written));
    if (latenciesMs.length >= expected) return;
  }
  throw new Error(`The stream of events ended after ${latenciesMs.length} of ${expected} pieces`);
}
