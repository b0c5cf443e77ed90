import { describe, expect, it } from 'vitest';
import { hasDesktop, type Surroundings, whyItCouldNotStart, whyNoWindow } from './why-no-window.ts';

const desktop: Surroundings = {
  platform: 'linux',
  environment: { DISPLAY: ':0' },
  userId: 1000,
  inContainer: false,
};

describe('whyNoWindow', () => {
  it.each([
    ['a Linux desktop with X', {}],
    ['a Linux desktop with Wayland', { environment: { WAYLAND_DISPLAY: 'wayland-0' } }],
    ['a container with a display', { inContainer: true }],
    ['macOS', { platform: 'darwin', environment: {}, userId: 501 }],
    ['macOS as root', { platform: 'darwin', environment: {}, userId: 0 }],
    ['Windows', { platform: 'win32', environment: {}, userId: undefined }],
  ] as [string, Partial<Surroundings>][])('finds nothing against it on %s', (_name, change) => {
    expect(whyNoWindow({ ...desktop, ...change })).toBeUndefined();
  });

  it.each([
    ['without a display', { environment: {} }, 'no display'],
    ['with an empty DISPLAY', { environment: { DISPLAY: '' } }, 'no display'],
    ['in a bare container', { environment: {}, inContainer: true, userId: 0 }, 'container'],
    ['as root', { userId: 0 }, 'root'],
    ['over SSH', { platform: 'darwin', environment: { SSH_CONNECTION: '1 2 3 4' } }, 'no display'],
  ] as [string, Partial<Surroundings>, string][])('says why not %s', (_name, change, reason) => {
    expect(whyNoWindow({ ...desktop, ...change })).toContain(reason);
  });
});

it('sees a desktop for root too, because a browser may still be opened there', () => {
  expect(hasDesktop({ ...desktop, userId: 0 })).toBe(true);
  expect(hasDesktop({ ...desktop, environment: {} })).toBe(false);
});

describe('whyItCouldNotStart', () => {
  it.each([
    [127, null, 'library'],
    [null, 'SIGTRAP', 'sandbox'],
    [133, null, 'sandbox'],
    [null, 'SIGSEGV', 'SIGSEGV'],
    [134, null, '134'],
  ] as const)('knows %s %s', (code, signal, reason) => {
    expect(whyItCouldNotStart(code, signal)).toContain(reason);
  });

  it.each([
    [0, null],
    [1, null],
    [null, 'SIGINT'],
    [null, 'SIGTERM'],
    [null, 'SIGKILL'],
  ] as const)('takes %s %s for what it is', (code, signal) => {
    expect(whyItCouldNotStart(code, signal)).toBeUndefined();
  });
});
