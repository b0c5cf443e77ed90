/** The console as a user finds it: by the names of what is on the screen, never by its structure. */
import { expect, type Locator, type Page } from '@playwright/test';

export const SETTINGS_SECTIONS = ['General', 'Storage', 'Budgets', 'Secrets', 'All settings'] as const;

export class Console {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  async open(
    name: 'Overview' | 'Needs you' | 'Sessions' | 'Agents' | 'Events' | 'Backups' | 'Settings',
  ): Promise<void> {
    const link = this.page
      .getByRole('navigation')
      .getByRole('link', { name: new RegExp(`^${name}( \\d+ waiting)?$`) })
      .first();
    await link.click();
    await expect(link).toHaveAttribute('aria-current', 'page');
    // By its name: until the page has been loaded, the one before is still there. That of the Overview is a sentence.
    const heading = name === 'Overview' ? { level: 1 } : { level: 1, name, exact: true };
    await expect(this.page.getByRole('heading', heading)).toBeVisible();
  }

  /** Opens a part of the settings. */
  async openSettings(section: (typeof SETTINGS_SECTIONS)[number]): Promise<void> {
    await this.open('Settings');
    await this.page.getByRole('tab', { name: section, exact: true }).click();
    await expect(this.page.getByRole('tabpanel', { name: section, exact: true })).toBeVisible();
  }

  /** Begins a session and resolves when its page is there. */
  async newSession(options: { agent: string; message: string }): Promise<void> {
    await this.open('Sessions');
    await this.page.getByRole('button', { name: 'New session' }).first().click();
    const dialog = this.page.getByRole('dialog', { name: 'New session' });
    await dialog.getByRole('combobox', { name: 'Agent' }).click();
    await this.page.getByRole('option', { name: options.agent, exact: true }).click();
    await dialog.getByRole('textbox', { name: 'First message' }).fill(options.message);
    await dialog.getByRole('button', { name: 'Create session' }).click();
    await expect(this.turn(1)).toBeVisible();
  }

  turn(number: number): Locator {
    return this.page.getByRole('article', { name: `Turn ${number}`, exact: true });
  }

  answer(number: number): Locator {
    return this.turn(number).getByRole('region', { name: `Answer of turn ${number}` });
  }

  /** What waits for the user on this page. */
  get waiting(): Locator {
    return this.page.locator('[data-needs-you]');
  }

  async prompt(text: string): Promise<void> {
    const composer = this.page.getByRole('textbox', { name: 'Message', exact: true });
    await composer.fill(text);
    await composer.press('Enter');
  }

  async deleteOpenSession(): Promise<void> {
    await this.page.getByRole('button', { name: 'More actions' }).click();
    await this.page.getByRole('menuitem', { name: /Delete/ }).click();
    await this.page.getByRole('dialog').getByRole('button', { name: 'Delete session' }).click();
  }

  async backUpNow(): Promise<void> {
    await this.open('Backups');
    const restore = this.page.getByRole('button', { name: 'Restore…' });
    const before = await restore.count();
    await this.page.getByRole('button', { name: 'Back up now' }).first().click();
    await expect(restore).toHaveCount(before + 1);
  }

  /** Walks the wizard to its end with the newest backup. */
  async restoreNewest(): Promise<void> {
    await this.open('Backups');
    await this.page.getByRole('button', { name: 'Restore…' }).first().click();
    const wizard = this.page.getByRole('dialog', { name: /^Restore / });
    for (let step = 0; step < 3; step++) await wizard.getByRole('button', { name: 'Continue' }).click();
    await wizard.getByRole('textbox', { name: 'Type RESTORE to confirm' }).fill('RESTORE');
    await wizard.getByRole('button', { name: 'Restore this backup' }).click();
    await expect(wizard.getByText('The backup is restored')).toBeVisible();
    await wizard.getByRole('button', { name: 'Done' }).click();
  }

  /** What the settings say of the storage. */
  get storage(): Locator {
    return this.page.getByRole('region', { name: 'Storage in use' });
  }

  /** The drawer with the details of what was chosen on a page. */
  get details(): Locator {
    return this.page.getByRole('complementary');
  }

  async openAgent(name: string): Promise<void> {
    await this.open('Agents');
    await this.page.getByRole('row', { name, exact: true }).click();
    await expect(this.details.getByRole('heading', { name })).toBeVisible();
  }
}
