import AxeBuilder from '@axe-core/playwright';
import { expect, type Page } from '@playwright/test';

/** Fails when the page, as it is now, has a serious problem of accessibility. `where` says which page that is. */
export async function expectAccessible(page: Page, where: string): Promise<void> {
  // In "legacy mode" axe works in the page alone. Otherwise it opens another page each time, only to join the findings of
  // frames, of which there are none; and what is in order is not listed node by node. What is checked stays the same.
  expect(page.frames()).toHaveLength(1);
  const axe = new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ['violations'] });
  const { violations } = await axe.analyze();
  const serious = violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 160)).join(' | ')}`);
  expect(serious, where).toEqual([]);
}
