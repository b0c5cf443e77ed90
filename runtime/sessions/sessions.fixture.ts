/** The room as the tests use it: in memory, started, with all that is told. */
import { expect, vi } from 'vitest';
import type { RuntimeEvent } from '../contract/index.ts';
import type { SessionsDependencies } from './create-sessions.ts';
import { openRoom } from './open-room.fixture.ts';
import type { PendingPrompt } from './scripted-agents.fixture.ts';

export const context = { correlationId: 'c1' };

/** Resolves once the check throws no more. A busy machine takes its time, and nothing here depends on how much that is. */
export function eventually<T>(check: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(check, { timeout: 15_000, interval: 10 });
}

/** Call `close` at the end: it fails when a timer is left. */
export async function openSessions(settings: Partial<SessionsDependencies['settings']> = {}) {
  const room = await openRoom({ type: 'memory', dataDir: '', settings });
  const told: RuntimeEvent[] = [];
  await room.sessions.start();
  room.bus.subscribe({ name: 'test', topics: ['>'] }, (event) => void told.push(event));
  return {
    ...room,
    told,
    /** The prompt that an agent was given last. */
    lastPrompt(): PendingPrompt {
      const prompt = room.agents.pending.at(-1);
      if (prompt === undefined) throw new Error('No agent was prompted');
      return prompt;
    },
    /** Resolves when no turn of the session runs any more. */
    settled: (id: string) =>
      eventually(async () => {
        const session = await room.sessions.get(id);
        expect(session.lastTurn?.state).not.toBe('running');
        return session;
      }),
    async close() {
      await room.close();
      expect(room.clock.pending, 'timers are left').toBe(0);
    },
  };
}

export type OpenSessions = Awaited<ReturnType<typeof openSessions>>;
