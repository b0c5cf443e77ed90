/**
 * For `crash.test.ts`: writes through a degraded storage until it is killed. The server is in the process that has started
 * it, at the other end of the IPC channel; each acknowledged value is told to it.
 */
import { CodedError, isCoded } from '../../base/errors.ts';
import { DegradedStorage } from '../degraded.ts';
import type { Operation, Storage } from '../storage.ts';

export interface ServerCall {
  call: number;
  name: 'open' | 'commit' | 'get' | 'list' | 'read' | 'stats' | 'info';
  input: unknown[];
}
export interface ServerAnswer {
  call: number;
  output?: unknown;
  error?: { code: string; message: string; data: Record<string, unknown> };
}
export type Told = ServerCall | { acknowledged: string } | { ended: string };

const WRITERS = 4;
const [, , folder = '', cycle = ''] = process.argv;

const waiting = new Map<number, (answer: ServerAnswer) => void>();
let calls = 0;
const tell = (told: Told) => process.send?.(told);
process.on('message', (answer: ServerAnswer) => {
  waiting.get(answer.call)?.(answer);
  waiting.delete(answer.call);
});

async function ask(name: ServerCall['name'], ...input: unknown[]): Promise<unknown> {
  calls += 1;
  const call = calls;
  const answer = await new Promise<ServerAnswer>((resolve) => {
    waiting.set(call, resolve);
    tell({ call, name, input });
  });
  if (answer.error !== undefined)
    throw new CodedError(answer.error.code, answer.error.message, answer.error.data);
  return answer.output;
}

const remote = {
  type: 'remote',
  supports: { durable: true, sharedByProcesses: true, remote: true },
  open: () => ask('open'),
  close: async () => undefined,
  commit: (operations: Operation[], id: unknown) => ask('commit', operations, id),
  get: (collection: string, id: string) => ask('get', collection, id),
  list: (collection: string, query: unknown) => ask('list', collection, query),
  read: (log: string, query: unknown) => ask('read', log, query),
  stats: () => ask('stats'),
  info: () => ask('info'),
  generations: {},
} as unknown as Storage;

const storage = new DegradedStorage({ storage: remote, folder, deadlineMs: 60, random: () => 0 });

async function write(writer: number): Promise<never> {
  for (let n = 1; ; n++) {
    const value = `${cycle}.${writer}.${n}`;
    try {
      await storage.commit([
        { kind: 'append', log: 'events', value },
        { kind: 'append', log: `messages/${writer}`, value },
        { kind: 'put', collection: 'last', id: String(writer), value },
      ]);
      tell({ acknowledged: value });
    } catch (error) {
      // What is not known now was not acknowledged either; anything else is not foreseen.
      if (!isCoded(error) || !['storage.not_known_now', 'storage.unreachable'].includes(error.code))
        throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

try {
  await storage.open();
  await Promise.all(Array.from({ length: WRITERS }, (_, i) => write(i)));
} catch (error) {
  tell({ ended: isCoded(error) ? error.code : String(error) });
  process.disconnect();
}
