import { describe, expect, it } from 'vitest';
import { createQuit } from './quit.ts';

/** Electron's event, as far as a quit uses it. */
class QuitEvent {
  held = false;

  preventDefault() {
    this.held = true;
  }
}

describe('a quit', () => {
  it.each([
    ['stopped', 0],
    ['gave-up', 1],
  ] as const)('is held until the runtime has %s, then exits with %i', async (result, code) => {
    const stop = Promise.withResolvers<'stopped' | 'gave-up'>();
    const exited = Promise.withResolvers<number>();
    const exits: number[] = [];
    const quit = createQuit({
      stop: () => stop.promise,
      exit: (exitCode) => {
        exits.push(exitCode);
        exited.resolve(exitCode);
      },
    });
    expect(quit.underway).toBe(false);
    const event = new QuitEvent();
    quit.onBeforeQuit(event);
    expect(event.held).toBe(true);
    expect(quit.underway).toBe(true);
    expect(exits).toEqual([]);
    stop.resolve(result);
    expect(await exited.promise).toBe(code);
  });

  it('does not wait the second time', () => {
    let stops = 0;
    const exits: number[] = [];
    const quit = createQuit({
      stop: () => {
        stops++;
        return new Promise(() => undefined);
      },
      exit: (code) => exits.push(code),
    });
    quit.onBeforeQuit(new QuitEvent());
    quit.onBeforeQuit(new QuitEvent());
    expect(stops).toBe(1);
    expect(exits).toEqual([1]);
  });
});
