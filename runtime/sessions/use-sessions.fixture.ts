/**
 * A program that uses the sessions at random until it is killed: `<data folder> <seed> <time>`. Writes a dot for each
 * step, so that the test knows how far it is.
 */
import { VirtualClock } from '../base/clock.ts';
import { openRoom } from './open-room.fixture.ts';
import { seeded } from './seeded.fixture.ts';

const [dataDir = '', seed = '', time = ''] = process.argv.slice(2);
const random = seeded(Number(seed));
const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(random() * items.length)];
const context = { correlationId: 'used' };
const room = await openRoom({
  type: 'sqlite',
  dataDir,
  clock: new VirtualClock(Number(time)),
  settings: { maxConcurrentSessions: 1000, maxSessionSizeBytes: 1_000_000 },
});
await room.sessions.start();
const ids = await Promise.all([1, 2, 3, 4].map(async () => (await room.sessions.create({}, context)).id));
const used = new Map<object, number>();
const ignore = () => undefined;

const steps: (() => void)[] = [
  () => void room.sessions.prompt({ id: pick(ids) ?? '', message: 'go' }, context).catch(ignore),
  () => void room.sessions.prompt({ id: pick(ids) ?? '', message: 'go' }, context).catch(ignore),
  () => {
    const prompt = pick(room.agents.pending);
    if (prompt === undefined) return;
    const tokens = (used.get(prompt) ?? 0) + Math.ceil(random() * 100);
    used.set(prompt, tokens);
    prompt.request.onUsage({ inputTokens: tokens, outputTokens: 0 });
    prompt.request.onUpdate({ kind: 'text', text: `${tokens} ` });
  },
  () => {
    void pick(room.agents.pending)?.request.onPermission(
      {
        toolCall: { toolCallId: 't', title: 'Something', status: 'pending' },
        options: [{ id: 'yes', name: 'Allow', kind: 'allow_once' }],
        cwd: '/',
      },
      new AbortController().signal,
    );
  },
  async () => {
    const { items } = await room.needsYou.list({ state: 'waiting', limit: 50 });
    const id = pick(items)?.id;
    if (id !== undefined) {
      await room.needsYou.answer({ id, optionId: 'yes', remember: false }, context).catch(ignore);
    }
  },
  () => {
    const prompt = pick(room.agents.pending);
    if (prompt === undefined) return;
    const tokens = (used.get(prompt) ?? 0) + Math.ceil(random() * 100);
    prompt.answer({ stopReason: 'end_turn', usage: { inputTokens: tokens, outputTokens: 0 } });
    room.agents.pending.splice(room.agents.pending.indexOf(prompt), 1);
  },
];

for (;;) {
  pick(steps)?.();
  await room.clock.advance(Math.floor(random() * 3000));
  // Commits are carried out in their order: the step before this one is durable then, and most of this one.
  await room.storage.commit([{ kind: 'put', collection: 'steps', id: 'last', value: {} }]);
  process.stdout.write('.');
}
