import { expect, test, vi } from 'vitest';
import type { PermissionRequest } from '../../agents/agents.ts';
import { fault } from '../../contract/index.ts';
import { seeded } from '../seeded.fixture.ts';
import { context, eventually, type OpenSessions, openSessions } from '../sessions.fixture.ts';

const request: PermissionRequest = {
  toolCall: { toolCallId: 't', title: 'Something', status: 'pending' },
  options: [
    { id: 'yes', name: 'Allow', kind: 'allow_once' },
    { id: 'no', name: 'Reject', kind: 'reject_once' },
  ],
  cwd: '/',
};

/** A request of an agent, and every answer that it got. */
interface Asked {
  abort: AbortController;
  answers: (string | undefined)[];
  failed: boolean;
}

async function expectNothingWaits(
  { sessions, needsYou }: Pick<OpenSessions, 'sessions' | 'needsYou'>,
  sessionIds: string[],
): Promise<void> {
  expect((await needsYou.list({ state: 'waiting', limit: 100 })).items).toEqual([]);
  for (const id of sessionIds) {
    const session = await sessions.get(id);
    expect(session.waitingForYou).toBe(0);
    expect(['idle', 'interrupted', 'failed']).toContain(session.status);
    expect(session.turns.filter(({ state }) => state === 'running')).toEqual([]);
  }
}

const SEEDS = Array.from({ length: 40 }, (_, index) => index + 1);
const STEPS = 60;

test.each(SEEDS)(
  'whatever happens, every request is answered once and no item waits for ever (%i)',
  async (seed) => {
    const random = seeded(seed);
    const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(random() * items.length)];
    const room = await openSessions({ maxSessionSizeBytes: 1_000_000 });
    const commit = room.storage.commit.bind(room.storage);
    const sessionIds = await Promise.all(
      [1, 2, 3].map(async () => (await room.sessions.create({}, context)).id),
    );
    const asked: Asked[] = [];
    /** By item: the answers of the user that were accepted. */
    const accepted = new Map<string, string[]>();
    const pending: Promise<unknown>[] = [];
    /** What may wait until the turns are over. */
    const untilTheEnd: Promise<unknown>[] = [];
    const background = (work: Promise<unknown>) => pending.push(work.catch(() => undefined));

    const steps: (() => void)[] = [
      () => {
        const id = pick(sessionIds);
        if (id !== undefined) background(room.sessions.prompt({ id, message: 'go' }, context));
      },
      () => {
        const prompt = pick(room.agents.pending);
        if (prompt === undefined) return;
        const entry: Asked = { abort: new AbortController(), answers: [], failed: false };
        asked.push(entry);
        untilTheEnd.push(
          prompt.request.onPermission(request, entry.abort.signal).then(
            (option) => entry.answers.push(option),
            () => {
              entry.failed = true;
            },
          ),
        );
      },
      () => {
        background(
          room.needsYou.list({ state: 'waiting', limit: 100 }).then(async ({ items }) => {
            const item = pick(items);
            if (item === undefined) return;
            const optionId = pick(['yes', 'no']) ?? 'yes';
            await room.needsYou.answer({ id: item.id, optionId, remember: false }, context);
            accepted.set(item.id, [...(accepted.get(item.id) ?? []), optionId]);
          }),
        );
      },
      () => pick(asked)?.abort.abort(),
      () => {
        const id = pick(sessionIds);
        if (id !== undefined) untilTheEnd.push(room.sessions.cancel(id, context).catch(() => undefined));
      },
      () => pick(room.agents.pending)?.answer({ stopReason: pick(['end_turn', 'cancelled']) ?? 'end_turn' }),
      () => pick(room.agents.pending)?.fail(fault('agent.crashed', 'It is gone.')),
      () => {
        // One commit is refused, one is carried out and said to have failed.
        const isCarriedOut = random() < 0.5;
        vi.spyOn(room.storage, 'commit').mockImplementationOnce(async (operations) => {
          if (isCarriedOut) await commit(operations);
          throw fault('storage.failed', 'Nobody knows.');
        });
      },
    ];
    const weights = [3, 8, 6, 2, 1, 2, 1, 1];
    const bag = steps.flatMap((step, index) => Array<() => void>(weights[index] ?? 0).fill(step));
    for (let step = 0; step < STEPS; step++) {
      pick(bag)?.();
      if (random() < 0.6) await room.clock.advance(Math.floor(random() * 400));
    }

    vi.restoreAllMocks();
    await Promise.all(pending);
    if (seed % 4 === 0) {
      // Killed as it is: the next start finds nobody who waits.
      const next = room.make();
      await next.sessions.start();
      await expectNothingWaits(next, sessionIds);
      await next.sessions.stop();
    }

    // The end of it: whatever still runs ends, and what the storage refused is stored.
    await eventually(async () => {
      for (const prompt of room.agents.pending) prompt.answer({ stopReason: 'end_turn' });
      await room.clock.advance(10_000);
      expect(room.sessions.counts().runningTurns).toBe(0);
    });
    await Promise.all(untilTheEnd);
    await room.clock.advance(10_000);
    for (const { answers, failed } of asked) {
      expect(failed).toBe(false);
      expect(answers).toHaveLength(1);
    }
    const delivered = asked.flatMap(({ answers }) => answers).filter((option) => option !== undefined);
    expect(delivered.length).toBeGreaterThanOrEqual(accepted.size);
    await expectNothingWaits(room, sessionIds);
    expect([...room.agents.waiting.values()].every((count) => count === 0)).toBe(true);
    await room.close();
  },
);
