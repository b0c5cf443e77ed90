import { expect, it } from 'vitest';
import { VirtualClock } from '../../base/clock.ts';
import { LivenessProbe } from './liveness-probe.ts';

/** A clock of a machine that can be put to sleep: time goes on, and nothing runs. */
class SleepingClock extends VirtualClock {
  #slept = 0;

  override monotonic(): number {
    return super.monotonic() + this.#slept;
  }

  sleep(ms: number): void {
    this.#slept += ms;
  }
}

function probed() {
  const clock = new SleepingClock();
  const told: string[] = [];
  const pings: PromiseWithResolvers<void>[] = [];
  let activityAt = 0;
  const probe = new LivenessProbe({
    ping() {
      const ping = Promise.withResolvers<void>();
      pings.push(ping);
      return ping.promise;
    },
    clock,
    intervalMs: 2000,
    timeoutMs: 5000,
    limitMs: 90_000,
    lastActivityAt: () => activityAt,
    onAnswer: (latencyMs) => told.push(`answered after ${latencyMs}`),
    onSilent: (silentMs) => told.push(`silent for ${silentMs}`),
    onGivenUp: (silentMs) => told.push(`given up after ${silentMs}`),
  });
  return { clock, told, pings, probe, active: () => (activityAt = clock.monotonic()) };
}

it('tells each answer, a probe an interval', async () => {
  const { clock, told, pings, probe } = probed();
  await clock.advance(2000);
  await clock.advance(30);
  pings[0]?.resolve();
  await clock.advance(0);
  await clock.advance(1970);
  await clock.advance(40);
  pings[1]?.resolve();
  await clock.advance(0);
  expect(told).toEqual(['answered after 30', 'answered after 40']);
  probe.end();
  expect(clock.pending).toBe(0);
});

it('finds a hung agent within 7 s, sends it no second probe, and takes the late answer', async () => {
  const { clock, told, pings, probe } = probed();
  await clock.advance(7000);
  expect(told).toEqual(['silent for 5000']);
  await clock.advance(5000);
  expect(told).toEqual(['silent for 5000', 'silent for 6000', 'silent for 8000', 'silent for 10000']);
  expect(pings).toHaveLength(1);
  pings[0]?.resolve();
  await clock.advance(0);
  expect(told.at(-1)).toBe('answered after 10000');
  await clock.advance(2000);
  expect(pings).toHaveLength(2);
  probe.end();
});

it('gives up a silence of 90 s, once', async () => {
  const { clock, told } = probed();
  await clock.advance(300_000);
  expect(told.filter((line) => line.startsWith('given up'))).toEqual(['given up after 90000']);
  expect(clock.pending).toBe(0);
});

it('does not give up an agent that still tells something', async () => {
  const { clock, told, active, probe } = probed();
  for (let i = 0; i < 20; i++) {
    await clock.advance(10_000);
    active();
  }
  expect(told.some((line) => line.startsWith('given up'))).toBe(false);
  probe.end();
});

it('ends with the connection and tells nothing after its end', async () => {
  const { clock, told, pings } = probed();
  await clock.advance(2000);
  pings[0]?.reject(new Error('closed'));
  await clock.advance(0);
  expect(clock.pending).toBe(0);

  const other = probed();
  await other.clock.advance(2000);
  other.probe.end();
  other.pings[0]?.resolve();
  await other.clock.advance(100_000);
  expect([...told, ...other.told]).toEqual([]);
});

it.each([0, 500, 3000])(
  'does not blame an agent for the sleep of the machine, %d ms into a probe',
  async (ms) => {
    const { clock, told, pings, probe } = probed();
    await clock.advance(2000 + ms);
    expect(pings).toHaveLength(1);
    clock.sleep(8 * 3_600_000);
    // The timers of both are due at once when it wakes up, before the answer is read.
    await clock.advance(4900);
    expect(told).toEqual([]);
    pings[0]?.resolve();
    await clock.advance(0);
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(/^answered after \d{1,4}$/);
    probe.end();
  },
);

it('finds an agent that hangs since before the machine slept', async () => {
  const { clock, told, probe } = probed();
  await clock.advance(2500);
  clock.sleep(3_600_000);
  await clock.advance(12_000);
  expect(told[0]).toBe('silent for 5000');
  await clock.advance(90_000);
  expect(told.at(-1)).toMatch(/^given up after 9\d{4}$/);
  probe.end();
});
