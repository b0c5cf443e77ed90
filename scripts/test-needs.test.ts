import { expect, it } from 'vitest';
import { type Machine, type Need, provide, sayMissing } from './test-needs.ts';

/** Programs of a pretended machine, on which packages put what they are named after. */
function rig(there: string[], machine: Partial<Machine> = {}, available: string[] = ['browser', 'server']) {
  const installed = new Set(there);
  const installs: string[][] = [];
  const said: string[] = [];
  const need = (name: string, more: Partial<Need> = {}): Need => ({
    what: name,
    packages: [name],
    isHere: () => installed.has(name),
    without: `nothing of ${name} is tested`,
    ...more,
  });
  const run = () =>
    provide(
      [need('browser', { isSnapOnUbuntu: true }), need('server')],
      {
        distribution: 'debian',
        isRoot: true,
        install: (packages) => {
          installs.push(packages);
          for (const name of packages) if (available.includes(name)) installed.add(name);
        },
        ...machine,
      },
      (line) => said.push(line),
    ).map(({ what }) => what);
  return { run, installs, said };
}

it('installs nothing when everything is there', () => {
  const { run, installs, said } = rig(['browser', 'server']);
  expect(run()).toEqual([]);
  expect([installs, said]).toEqual([[], []]);
});

it('installs all that is missing in one go, and says so', () => {
  const { run, installs, said } = rig([]);
  expect(run()).toEqual([]);
  expect(installs).toEqual([['browser', 'server']]);
  expect(said).toEqual(['Installing what the tests need and is not here: browser, server.']);
});

it('answers what could not be installed', () => {
  const { run } = rig([], {}, ['browser']);
  expect(run()).toEqual(['server']);
});

it('leaves a snap of Ubuntu alone', () => {
  const { run, installs } = rig([], { distribution: 'ubuntu' });
  expect(run()).toEqual(['browser']);
  expect(installs).toEqual([['server']]);
});

it.each<[string, Partial<Machine>]>([
  ['another system', { distribution: 'other' }],
  ['another user than root', { isRoot: false }],
])('does not try to install as %s', (_who, machine) => {
  const { run, installs } = rig(['browser'], machine);
  expect(run()).toEqual(['server']);
  expect(installs).toEqual([]);
});

it('says what is missing, what that means, and what helps', () => {
  const need: Need = { what: 'a', packages: ['b', 'c'], isHere: () => false, without: 'd is skipped' };
  expect(sayMissing(need)).toBe('There is no a here, and d is skipped. On Debian: apt install b c');
});
