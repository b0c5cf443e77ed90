/** The page of the agents and the drawer of one, by the names of what is on the screen. */
import { expect, type Locator, type Page } from '@playwright/test';
import { Console } from './console.ts';

type AgentTabName = 'Now' | 'Health' | 'Exits' | 'Sessions' | 'Configuration' | 'Protocol frames';

type Drill = 'Crash' | 'Hang' | 'Slow' | 'Flood';

export class AgentsPage {
  readonly console: Console;
  readonly #page: Page;

  constructor(page: Page) {
    this.#page = page;
    this.console = new Console(page);
  }

  row(name: string): Locator {
    return this.#page.getByRole('row', { name, exact: true });
  }

  get drawer(): Locator {
    return this.console.details;
  }

  get addDialog(): Locator {
    return this.#page.getByRole('dialog', { name: 'Add an agent' });
  }

  /** A question that has to be answered before something is done. */
  question(title: string | RegExp): Locator {
    return this.#page.getByRole('dialog', { name: title });
  }

  /** What the console tells of something that the user has done. */
  toast(text: string | RegExp): Locator {
    return this.#page.getByRole('alert').filter({ hasText: text });
  }

  /** The state of the agent whose details are open, in the word of the console. */
  state(word: string): Locator {
    return this.drawer.getByText(word, { exact: true }).first();
  }

  /** Opens the dialog to add an agent by its command line. */
  async addByCommand(fields: { name: string; command: string }): Promise<Locator> {
    await this.console.open('Agents');
    await this.#page.getByRole('button', { name: 'Add agent' }).first().click();
    const dialog = this.addDialog;
    await this.chooseCommandLine();
    await dialog.getByRole('textbox', { name: 'Name' }).fill(fields.name);
    await dialog.getByRole('textbox', { name: 'Command line' }).fill(fields.command);
    return dialog;
  }

  /** How an agent can be added, in the dialog for that. */
  get kinds(): Locator {
    return this.addDialog.getByRole('radiogroup', { name: 'Kind of agent' });
  }

  /** In the dialog to add an agent. The radio itself is hidden below its label. */
  async chooseCommandLine(): Promise<void> {
    await this.kinds.getByText('Command line').click();
    await expect(this.kinds.getByRole('radio', { name: 'Command line' })).toBeChecked();
  }

  /** Adds an agent by its command line; resolves when its details are open. */
  async add(fields: { name: string; command: string }): Promise<void> {
    const dialog = await this.addByCommand(fields);
    await dialog.getByRole('button', { name: 'Add agent' }).click();
    await expect(dialog).toHaveCount(0);
    await expect(this.drawer.getByRole('heading', { name: fields.name })).toBeVisible();
  }

  async tab(name: AgentTabName): Promise<void> {
    await this.drawer.getByRole('tab', { name }).click();
  }

  /** Rehearses a failure of the agent whose details are open, by the button in its head. */
  async drillFromMenu(kind: Drill): Promise<void> {
    await this.drawer.getByRole('button', { name: 'Drill' }).click();
    await this.#page.getByRole('menuitem', { name: kind }).click();
  }

  /** The same by the button on its first tab. */
  async drill(kind: Drill): Promise<void> {
    await this.tab('Now');
    await this.drawer.getByRole('button', { name: kind, exact: true }).click();
  }

  /** The rows of the drills of the agent whose details are open, the newest first. */
  get drills(): Locator {
    return this.drawer.getByRole('table', { name: 'Drills' }).locator('tbody').getByRole('row');
  }

  get exits(): Locator {
    return this.drawer.getByRole('article', { name: /^Exit of generation/ });
  }

  get frames(): Locator {
    return this.drawer.getByRole('list', { name: 'Protocol frames' }).getByRole('listitem');
  }
}
