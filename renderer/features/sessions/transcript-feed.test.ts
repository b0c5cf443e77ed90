import { expect, test, vi } from 'vitest';
import type { RuntimeEvent, SessionDetail } from '#contract';
import { virtualTime } from '../../lib/virtual-time.fixture.ts';
import { FOLD_INTERVAL_MS, GAP_RETRY_MS, TranscriptFeed } from './transcript-feed.ts';

function session(text?: string): SessionDetail {
  return {
    id: 's1',
    title: 'A session',
    agentId: 'echo',
    state: 'active',
    status: 'busy',
    version: 1,
    createdAt: 1,
    updatedAt: 1,
    lastActivityAt: 1,
    messageCount: 1,
    sizeBytes: 0,
    usage: { inputTokens: 0, outputTokens: 0 },
    waitingForYou: 0,
    turns: [],
    messages:
      text === undefined
        ? []
        : [{ id: 'm', turnId: 't', role: 'agent', kind: 'text', text, createdAt: 1, complete: false }],
  };
}

function delta(offset: number, text: string): RuntimeEvent {
  return {
    specversion: '1.0',
    id: `${offset}`,
    source: 'test',
    type: 'session.message.delta',
    time: '2026-01-01T00:00:00Z',
    datacontenttype: 'application/json',
    data: { sessionId: 's1', turnId: 't', messageId: 'm', role: 'agent', kind: 'text', offset, text },
    sequence: 0,
    priority: 'low',
    correlationid: 'c',
  };
}

/** A feed over virtual time. */
function setUp(start: SessionDetail | undefined) {
  const { waiting, advance, ...time } = virtualTime();
  let shown = start;
  let draws = 0;
  const readAgain = vi.fn();
  const feed = new TranscriptFeed({
    current: () => shown,
    show: (detail) => {
      shown = detail;
      draws += 1;
    },
    readAgain,
    ...time,
  });
  return {
    feed,
    readAgain,
    text: () => shown?.messages[0]?.text,
    show: (detail: SessionDetail) => {
      shown = detail;
    },
    draws: () => draws,
    waiting,
    advance,
  };
}

test('the first text is shown at once, a flood at most 20 times a second, and none of it is lost', () => {
  const { feed, advance, text, draws } = setUp(session());
  for (let millisecond = 0; millisecond < 1000; millisecond += 1) {
    feed.receive(delta(millisecond, 'x'));
    if (millisecond === 0) expect(text()).toBe('x');
    advance(1);
  }
  advance(FOLD_INTERVAL_MS);
  expect(text()).toBe('x'.repeat(1000));
  expect(draws()).toBeLessThanOrEqual(1000 / FOLD_INTERVAL_MS + 1);
});

test('what arrives while the session is read is not taken back by the answer', async () => {
  const { feed, show, text } = setUp(undefined);
  const answer = Promise.withResolvers<SessionDetail>();
  const reading = feed.read(() => answer.promise);
  feed.receive(delta(3, 'def'));
  answer.resolve(session('abc'));
  show(await reading);
  expect(text()).toBe('abcdef');
});

test('a gap asks once for the session, and the answer closes it', async () => {
  const { feed, show, text, readAgain, advance } = setUp(session('abc'));
  feed.receive(delta(6, 'ghi'));
  expect(readAgain).toHaveBeenCalledTimes(1);
  const answer = Promise.withResolvers<SessionDetail>();
  const reading = feed.read(() => answer.promise);
  advance(FOLD_INTERVAL_MS);
  feed.receive(delta(9, 'jkl'));
  answer.resolve(session('abcdefghi'));
  show(await reading);
  expect(text()).toBe('abcdefghijkl');
  advance(GAP_RETRY_MS);
  expect(readAgain).toHaveBeenCalledTimes(1);
});

test('a gap that the answer leaves open is tried again, but not in a tight loop', async () => {
  const { feed, show, readAgain, advance } = setUp(session('abc'));
  const answer = Promise.withResolvers<SessionDetail>();
  const reading = feed.read(() => answer.promise);
  feed.receive(delta(6, 'ghi'));
  answer.resolve(session('abc'));
  show(await reading);
  feed.receive(delta(9, 'jkl'));
  advance(FOLD_INTERVAL_MS);
  expect(readAgain).not.toHaveBeenCalled();
  advance(GAP_RETRY_MS);
  expect(readAgain).toHaveBeenCalledTimes(1);
});

test('a reading that fails leaves what is shown, and the feed goes on', async () => {
  const { feed, text, advance } = setUp(session('abc'));
  await expect(feed.read(() => Promise.reject(new Error('offline')))).rejects.toThrow('offline');
  feed.receive(delta(3, 'd'));
  advance(FOLD_INTERVAL_MS);
  expect(text()).toBe('abcd');
});

test('stopping shows what is left and leaves no timer', () => {
  const { feed, text, waiting } = setUp(session('abc'));
  feed.receive(delta(3, 'd'));
  feed.receive(delta(4, 'e'));
  expect(waiting()).toBe(1);
  feed.stop();
  expect(text()).toBe('abcde');
  expect(waiting()).toBe(0);
});
