/** One shape for both ways of running the product, so that one spec can be run on either. */
import type { Browser, Page } from '@playwright/test';
import { startElectron, whyNoElectron } from './start-electron.ts';
import { type StartOptions, startHeadless } from './start-headless.ts';

export type Surface = 'headless' | 'electron';

export interface StartedProduct {
  readonly dataDir: string;
  readonly logs: string;
  /** The console as the user sees it now: the window, or a page of a fresh browser profile at the printed address. */
  openConsole(): Promise<Page>;
  /** Ends the process at once, as a crash does. */
  kill(): Promise<void>;
  stop(): Promise<void>;
  /** Starts again on the same data; a killed one as well as one that runs. */
  restart(): Promise<void>;
  /** Ends what still runs; keeps the data folder unless the test succeeded. */
  dispose(succeeded: boolean): Promise<void>;
}

/** Why the product cannot be started that way here, in words for a skip; undefined when it can. */
export function whyNot(surface: Surface): string | undefined {
  return surface === 'electron' ? whyNoElectron() : undefined;
}

export async function startProduct(
  surface: Surface,
  options: StartOptions & { browser: Browser },
): Promise<StartedProduct> {
  if (surface === 'electron') {
    const desktop = await startElectron(options);
    return Object.assign(desktop, { openConsole: () => desktop.page() });
  }
  const headless = await startHeadless(options);
  const pages: Page[] = [];
  return {
    get logs() {
      return headless.logs;
    },
    dataDir: headless.dataDir,
    async openConsole() {
      const page = await options.browser.newPage();
      pages.push(page);
      await page.goto(headless.url);
      return page;
    },
    async kill() {
      await headless.kill();
    },
    async stop() {
      await headless.stop();
    },
    restart: () => headless.restart(),
    async dispose(succeeded) {
      for (const page of pages) await page.context().close();
      await headless.dispose(succeeded);
    },
  };
}
