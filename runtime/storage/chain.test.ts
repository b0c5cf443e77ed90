import { expect, it } from 'vitest';
import { Chain, type Linked } from './chain.ts';

interface Item extends Linked<Item> {
  name: string;
}

it('keeps what was added in its order, whichever is taken out, and lets go of that', () => {
  const chain = new Chain<Item>();
  const items = ['a', 'b', 'c', 'd'].map((name): Item => ({ name, older: undefined, newer: undefined }));
  const [a, b, c, d] = items as [Item, Item, Item, Item];
  const names = () => {
    const found: string[] = [];
    for (let item = chain.oldest; item !== undefined; item = item.newer) found.push(item.name);
    return found.join('');
  };
  for (const item of items) chain.add(item);
  expect(names()).toBe('abcd');
  for (const [item, rest] of [
    [b, 'acd'],
    [a, 'cd'],
    [d, 'c'],
    [c, ''],
  ] as const) {
    expect(chain.remove(item)).toBe(true);
    expect(names()).toBe(rest);
    expect(item).toMatchObject({ older: undefined, newer: undefined });
    expect(chain.remove(item)).toBe(false);
  }
  chain.add(c);
  chain.add(a);
  expect(names()).toBe('ca');
});
