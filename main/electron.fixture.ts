/**
 * Stands in for Electron so that the whole desktop bundle can be run under plain Node: `node --import <this file>
 * dist/main/index.js`. The test speaks to it over the IPC channel of the child process: it plays the window (requests to
 * the `app:` scheme), the user (quit, a second start) and looks at what the app has set up.
 */
import { EventEmitter } from 'node:events';
import { registerHooks } from 'node:module';
import type { WindowOpenHandlerResponse } from 'electron';

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'electron' ? { url: import.meta.url, shortCircuit: true } : next(specifier, context),
});

/** What the test sends. */
export type Command =
  | { id: number; do: 'fetch'; url: string; method: string; accept: string; body?: string }
  | { id: number; do: 'navigate'; url: string }
  | { id: number; do: 'open'; url: string }
  | { id: number; do: 'permit'; permission: string; url: string }
  | { id: number; do: 'look' }
  | { id: number; do: 'emit'; event: string };

export interface Look {
  windows: { options: Electron.BrowserWindowConstructorOptions; loads: string[]; shown: boolean }[];
  schemes: Electron.CustomScheme[];
  sandboxed: boolean;
  opened: string[];
  menu: (string | undefined)[];
}

const seen: Omit<Look, 'windows'> = { schemes: [], sandboxed: false, opened: [], menu: [] };
const windows: BrowserWindow[] = [];
type PermissionHandler = (
  contents: unknown,
  permission: string,
  answer: (allowed: boolean) => void,
  details: { requestingUrl: string },
) => void;
let decidePermission: PermissionHandler = (_contents, _permission, answer) => answer(true);
const session = {
  setPermissionRequestHandler(handler: PermissionHandler) {
    decidePermission = handler;
  },
  setPermissionCheckHandler: () => undefined,
  setDevicePermissionHandler: () => undefined,
};
let scheme: ((request: Request) => Promise<Response>) | undefined;

class WebContents extends EventEmitter {
  loads: string[] = [];
  windowOpen: (details: { url: string }) => WindowOpenHandlerResponse = () => ({ action: 'allow' });

  setWindowOpenHandler(handler: WebContents['windowOpen']) {
    this.windowOpen = handler;
  }

  reload() {
    this.loads.push('reload');
  }
}

export class BrowserWindow extends EventEmitter {
  readonly options: Electron.BrowserWindowConstructorOptions;
  readonly webContents = new WebContents();
  shown = false;

  constructor(options: Electron.BrowserWindowConstructorOptions) {
    super();
    this.options = options;
    windows.push(this);
    app.emit('web-contents-created', {}, this.webContents);
  }

  async loadURL(url: string) {
    this.webContents.loads.push(url);
    this.emit('ready-to-show');
  }

  show() {
    this.shown = true;
  }

  focus() {}

  isMinimized = () => false;
  isMaximized = () => false;
  isDestroyed = () => false;
  getNormalBounds = () => ({ x: 10, y: 20, width: 1000, height: 700 });

  destroy() {
    this.emit('closed');
    app.emit('window-all-closed');
  }
}

class App extends EventEmitter {
  name = 'SmallTalk Console';

  requestSingleInstanceLock = () => process.env.SECOND_INSTANCE === undefined;
  getPath = () => process.env.USER_DATA ?? '';
  getAppPath = () => process.env.APP_PATH ?? '';
  exit = (code: number) => process.exit(code);

  enableSandbox() {
    seen.sandboxed = true;
  }

  quit() {
    let prevented = false;
    this.emit('before-quit', {
      preventDefault: () => {
        prevented = true;
      },
    });
    if (!prevented) process.exit(0);
  }

  async whenReady() {
    // Electron is ready only after the main entry has been evaluated.
    await new Promise((resolve) => setImmediate(resolve));
    this.emit('session-created', session);
  }
}

export const app = new App();
export const protocol = {
  registerSchemesAsPrivileged(schemes: Electron.CustomScheme[]) {
    seen.schemes = schemes;
  },
  handle(_name: string, handler: NonNullable<typeof scheme>) {
    scheme = handler;
  },
};
export const nativeTheme = { shouldUseDarkColors: true };
export const screen = {
  getAllDisplays: () => [{ workArea: { x: 0, y: 0, width: 1920, height: 1080 } }],
};
export const shell = {
  async openExternal(url: string) {
    seen.opened.push(url);
  },
  openPath: async () => '',
};
/** A keychain that turns the bytes around, or, with `NO_KEYCHAIN`, none. */
export const safeStorage = {
  isEncryptionAvailable: () => process.env.NO_KEYCHAIN === undefined,
  getSelectedStorageBackend: () => 'gnome_libsecret',
  encryptString: (text: string) => Buffer.from(text).reverse(),
  decryptString: (encrypted: Buffer) => Buffer.from(encrypted).reverse().toString(),
};
export const Menu = {
  buildFromTemplate: (template: Electron.MenuItemConstructorOptions[]) => template,
  setApplicationMenu(template: Electron.MenuItemConstructorOptions[]) {
    seen.menu = template.map(({ label, role }) => label ?? role);
  },
};

async function obey(command: Command): Promise<unknown> {
  switch (command.do) {
    case 'fetch': {
      if (scheme === undefined) throw new Error('nobody answers app:');
      const { url, method, accept, body } = command;
      const headers = { accept, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
      const response = await scheme(
        new Request(url, { method, headers, ...(body === undefined ? {} : { body }) }),
      );
      return {
        status: response.status,
        headers: Object.fromEntries(response.headers),
        text: await response.text(),
      };
    }
    case 'navigate': {
      let prevented = false;
      const preventDefault = () => {
        prevented = true;
      };
      windows[0]?.webContents.emit('will-frame-navigate', {
        url: command.url,
        isMainFrame: true,
        preventDefault,
      });
      return prevented ? 'denied' : 'allowed';
    }
    case 'open':
      return windows[0]?.webContents.windowOpen({ url: command.url }).action;
    case 'permit':
      return new Promise((resolve) =>
        decidePermission(undefined, command.permission, resolve, { requestingUrl: command.url }),
      );
    case 'look':
      return {
        ...seen,
        windows: windows.map(({ options, webContents, shown }) => ({
          options,
          loads: webContents.loads,
          shown,
        })),
      } satisfies Look;
    case 'emit':
      if (command.event === 'quit') app.quit();
      else app.emit(command.event);
      return undefined;
  }
}

process.on('message', (command: Command) => {
  obey(command).then(
    (result) => process.send?.({ id: command.id, result }),
    (error) => process.send?.({ id: command.id, error: String(error) }),
  );
});
