import { expect, test } from 'vitest';
import { virtualTime } from '../../lib/virtual-time.fixture.ts';
import { event } from './event.fixture.ts';
import { EventTail, eventRows, TAIL_INTERVAL_MS } from './event-tail.ts';

function setUp(capacity = 100) {
  const { waiting, advance, ...time } = virtualTime();
  const tail = new EventTail({ capacity, ...time });
  let draws = 0;
  const leave = tail.subscribe(() => {
    draws += 1;
  });
  return {
    tail,
    leave,
    draws: () => draws,
    waiting,
    sequences: () => tail.snapshot().entries.map((entry) => entry.event.sequence),
    advance,
  };
}

test('a flood is drawn at most four times a second and ends complete', () => {
  const { tail, draws, advance, sequences } = setUp(5000);
  for (let index = 1; index <= 1000; index += 1) {
    tail.receive(event(index));
    advance(1);
  }
  advance(TAIL_INTERVAL_MS);
  expect(draws()).toBeLessThanOrEqual(6);
  expect(sequences()).toHaveLength(1000);
});

test('keeps the newest when it is full, and says how many it let go', () => {
  const { tail, advance, sequences } = setUp(3);
  for (let index = 1; index <= 8; index += 1) tail.receive(event(index));
  advance(TAIL_INTERVAL_MS);
  expect(sequences()).toEqual([6, 7, 8]);
  expect(tail.snapshot().dropped).toBe(5);
});

test('while paused nothing moves, what matches is counted, and resuming shows all of it', () => {
  const { tail, advance, sequences } = setUp();
  tail.setFilter((candidate) => candidate.type === 'agent.state.changed');
  tail.receive(event(1));
  advance(TAIL_INTERVAL_MS);
  tail.pause();
  const { entries } = tail.snapshot();
  for (let index = 2; index <= 5; index += 1) tail.receive(event(index));
  tail.receive(event(6, { type: 'session.created' }));
  advance(TAIL_INTERVAL_MS);
  expect(tail.snapshot().entries).toBe(entries);
  expect(tail.snapshot()).toMatchObject({ paused: true, waiting: 4, upTo: 1 });
  tail.setFilter(() => true);
  expect(tail.snapshot().waiting).toBe(5);
  tail.resume();
  expect(sequences()).toEqual([1, 2, 3, 4, 5, 6]);
  expect(tail.snapshot()).toMatchObject({ paused: false, waiting: 0 });
});

test('what came just before the pause and was not drawn yet waits too', () => {
  const { tail, advance, sequences } = setUp();
  tail.receive(event(1));
  advance(TAIL_INTERVAL_MS);
  tail.receive(event(2));
  tail.receive(event(3));
  advance(1);
  tail.pause();
  expect(sequences()).toEqual([1, 2]);
  expect(tail.snapshot().waiting).toBe(1);
});

test('more than fits during a pause: the frozen rows stay, the count is right', () => {
  const { tail, advance, sequences } = setUp(3);
  for (let index = 1; index <= 3; index += 1) tail.receive(event(index));
  advance(TAIL_INTERVAL_MS);
  tail.pause();
  for (let index = 4; index <= 13; index += 1) tail.receive(event(index));
  advance(TAIL_INTERVAL_MS);
  expect(sequences()).toEqual([1, 2, 3]);
  expect(tail.snapshot().waiting).toBe(10);
});

test('clearing forgets everything and resumes', () => {
  const { tail, sequences } = setUp();
  tail.receive(event(9));
  tail.pause();
  tail.clear();
  expect(sequences()).toEqual([]);
  expect(tail.snapshot()).toMatchObject({ paused: false, dropped: 0 });
});

test('leaves no timer when nobody listens', () => {
  const { tail, leave, waiting } = setUp();
  tail.receive(event(1));
  tail.receive(event(2));
  expect(waiting()).toBe(1);
  leave();
  expect(waiting()).toBe(0);
});

test('rows: each event once, the newest first, live-only ones where they happened', () => {
  const { tail, advance } = setUp();
  for (const next of [event(5), event(0, { id: 'beat' }), event(7), event(6)]) tail.receive(next);
  advance(TAIL_INTERVAL_MS);
  const rows = eventRows(tail.snapshot(), [event(6), event(5), event(4), event(3)], () => true);
  expect(rows.map((row) => row.id)).toEqual(['e7', 'e6', 'beat', 'e5', 'e4', 'e3']);
});

test('rows while paused: a fresh reading of the log lets nothing newer in', () => {
  const { tail, advance } = setUp();
  tail.receive(event(5));
  advance(TAIL_INTERVAL_MS);
  tail.pause();
  const rows = eventRows(tail.snapshot(), [event(8), event(5), event(4)], () => true);
  expect(rows.map((row) => row.id)).toEqual(['e5', 'e4']);
});

test('rows of a tail that let events go do not pretend to join the log', () => {
  const { tail, advance } = setUp(2);
  for (let index = 10; index <= 13; index += 1) tail.receive(event(index));
  advance(TAIL_INTERVAL_MS);
  expect(eventRows(tail.snapshot(), [event(9)], () => true).map((row) => row.id)).toEqual(['e13', 'e12']);
});
