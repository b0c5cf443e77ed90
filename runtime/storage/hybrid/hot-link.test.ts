import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fault } from '../../contract/error-codes.ts';
import { HotLink, type HotServer } from './hot-link.ts';
import type { HotScript } from './hot-scripts.ts';

/** A server that begins an epoch when it is there. */
class FakeServer implements HotServer {
  readonly cluster = false;
  failure: Error | undefined;
  /** 1 when another instance has not been heard of for a while. */
  late = 0;
  /** Names of the scripts that were run. */
  readonly scripts: string[] = [];

  async run({ name }: HotScript): Promise<unknown> {
    this.scripts.push(name);
    if (this.failure !== undefined) throw this.failure;
    return ['epoch', this.late];
  }

  async call(): Promise<unknown[]> {
    return [];
  }
}

describe('a writer waits for a server that was lost,', () => {
  let time: number;
  let server: FakeServer;
  let link: HotLink;

  beforeEach(async () => {
    time = 0;
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    vi.spyOn(performance, 'now').mockImplementation(() => time);
    server = new FakeServer();
    link = new HotLink(server, 'test', 120_000);
    await link.renew();
  });
  afterEach(async () => {
    await link.leave({ lapse: false });
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  /** The process runs for so many milliseconds. */
  async function run(ms: number): Promise<void> {
    for (const end = time + ms; time < end; ) {
      time += 100;
      await vi.advanceTimersByTimeAsync(100);
    }
  }

  /** It stands still; what was due comes when it goes on. */
  async function standStill(ms: number): Promise<void> {
    time += ms;
    await vi.advanceTimersByTimeAsync(100);
  }

  /** Whether it is trusted within the grace; undefined while that is not known. */
  function ask(): () => boolean | undefined {
    let answer: boolean | undefined;
    void link.trustedWithinGrace().then((trusted) => {
      answer = trusted;
    });
    return () => answer;
  }

  it('for two seconds, once an outage', async () => {
    link.distrust();
    const answer = ask();
    await run(1_900);
    expect(answer()).toBeUndefined();
    await run(200);
    expect(answer()).toBe(false);
    expect(await link.trustedWithinGrace()).toBe(false);
    await link.renew();
    expect(await link.trustedWithinGrace()).toBe(true);
    link.distrust();
    expect(ask()()).toBeUndefined();
  });

  it('until it is back', async () => {
    link.distrust();
    const answer = ask();
    await run(1_500);
    await link.renew();
    await run(100);
    expect(answer()).toBe(true);
  });

  it('for seven seconds when it answers and refuses', async () => {
    link.distrust();
    const answer = ask();
    await run(1_000);
    server.failure = fault('storage.full', 'It has no room.', {});
    await link.renew();
    await run(5_900);
    expect(answer()).toBeUndefined();
    await run(200);
    expect(answer()).toBe(false);
  });

  it('without counting the time in which its process stood still', async () => {
    await run(500);
    link.distrust();
    const answer = ask();
    await run(500);
    await standStill(60_000);
    expect(answer()).toBeUndefined();
    expect(ask()()).toBeUndefined();
    await run(1_200);
    expect(answer()).toBeUndefined();
    await run(200);
    expect(answer()).toBe(false);
  });

  it('while those who have it back believe no copies', async () => {
    expect(link.isBelieved).toBe(true);
    link.distrust();
    expect(link.isBelieved).toBe(false);
    await link.renew();
    // It was hardly away: nobody has gone on without it.
    expect(link.isBelieved).toBe(true);
    link.distrust();
    await run(200);
    await link.renew();
    expect(link.trusted).toBe(true);
    await run(1_900);
    expect(link.isBelieved).toBe(false);
    await run(100);
    expect(link.isBelieved).toBe(true);
  });

  it('and for longer when it had refused', async () => {
    server.failure = fault('storage.full', 'It has no room.', {});
    await link.renew();
    await run(500);
    server.failure = undefined;
    await link.renew();
    // To lose it once more makes that no shorter.
    await run(1_000);
    link.distrust();
    await run(200);
    await link.renew();
    await run(5_700);
    expect(link.isBelieved).toBe(false);
    await run(100);
    expect(link.isBelieved).toBe(true);
  });

  it('also while those who just start find others that were not heard of', async () => {
    await link.leave({ lapse: false });
    link.distrust();
    await run(500);
    await link.renew();
    expect(link.isBelieved).toBe(true);
    await link.leave({ lapse: false });
    link.distrust();
    await run(2_100);
    await link.renew();
    // It was opened while the server was away, and may itself have written without it.
    expect(link.isBelieved).toBe(false);
    await run(2_000);
    expect(link.isBelieved).toBe(true);
    await link.leave({ lapse: false });
    server.late = 1;
    await link.renew();
    expect(link.isBelieved).toBe(false);
    await run(6_900);
    expect(link.isBelieved).toBe(false);
    await run(100);
    expect(link.isBelieved).toBe(true);
  });

  it('and asks nothing of it any more while it leaves', async () => {
    await Promise.all([link.leave({ lapse: false }), link.beat()]);
    expect(server.scripts).toEqual(['renew', 'leave']);
  });

  it('no longer than until it leaves', async () => {
    link.distrust();
    const answer = ask();
    await link.leave({ lapse: false });
    await vi.advanceTimersByTimeAsync(0);
    expect(answer()).toBe(false);
  });
});
