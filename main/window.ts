/** The one window of the console. */
import { BrowserWindow, nativeTheme, screen } from 'electron';
import { WEB_PREFERENCES } from './security.ts';
import { CONSOLE_ORIGIN } from './security-rules.ts';
import { MINIMUM_SIZE, readWindowState, type WindowState, writeWindowState } from './window-state.ts';

/** The body colours of the console's two themes, so that nothing flashes before the first paint. */
const BACKGROUND = { dark: '#242424', light: '#ffffff' };

export interface ConsoleWindow {
  /** Opens the window, or brings the open one to the front. */
  show(): void;
  /** Loads the page anew: to show that a start has failed. */
  reload(): void;
  /** Closes the window for good; no page can hold that up. */
  close(): void;
}

export function createConsoleWindow(options: {
  title: string;
  /** Where size and place are remembered. */
  stateFile: string;
  /** Called when the window can first be seen. */
  onShown: () => void;
}): ConsoleWindow {
  let window: BrowserWindow | undefined;

  const open = () => {
    const workAreas = screen.getAllDisplays().map((display) => display.workArea);
    const { maximized, ...bounds } = readWindowState(options.stateFile, workAreas);
    const opened = new BrowserWindow({
      ...bounds,
      minWidth: MINIMUM_SIZE.width,
      minHeight: MINIMUM_SIZE.height,
      title: options.title,
      show: false,
      backgroundColor: nativeTheme.shouldUseDarkColors ? BACKGROUND.dark : BACKGROUND.light,
      webPreferences: WEB_PREFERENCES,
    });
    window = opened;
    opened.once('ready-to-show', () => {
      if (maximized) opened.maximize();
      opened.show();
      options.onShown();
    });
    opened.on('close', () => remember(opened, options.stateFile));
    opened.on('closed', () => {
      window = undefined;
    });
    // A renderer that crashed is replaced at once: nothing lives in it that the runtime does not have.
    opened.webContents.on('render-process-gone', (_event, { reason }) => {
      if (reason !== 'clean-exit' && !opened.isDestroyed()) opened.webContents.reload();
    });
    void opened.loadURL(`${CONSOLE_ORIGIN}/`).catch(() => {
      // The scheme answers everything, errors included; what is left is a window that was closed meanwhile.
    });
  };

  return {
    show() {
      if (window === undefined) return open();
      if (window.isMinimized()) window.restore();
      window.show();
      window.focus();
    },
    reload() {
      window?.webContents.reload();
    },
    close() {
      if (window === undefined) return;
      remember(window, options.stateFile);
      window.destroy();
    },
  };
}

function remember(window: BrowserWindow, file: string): void {
  const state: WindowState = { ...window.getNormalBounds(), maximized: window.isMaximized() };
  try {
    writeWindowState(file, state);
  } catch {
    // A folder that cannot be written to shows up where it matters, in the storage; the window opens centred then.
  }
}
