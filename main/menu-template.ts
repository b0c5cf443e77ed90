/** The app menu of each platform, as data. Imports Electron's types only. */
import type { MenuItemConstructorOptions } from 'electron';

export interface MenuActions {
  showWindow(): void;
  openDataFolder(): void;
}

/**
 * The menu by platform conventions: macOS has the app's own menu first and keeps About and Quit there; the others have
 * them in Help and File. Keys that the console itself uses (⌘/Ctrl K, ⌘/Ctrl B) are left to it.
 */
export function menuTemplate(options: {
  appName: string;
  platform: NodeJS.Platform;
  actions: MenuActions;
}): MenuItemConstructorOptions[] {
  const { appName, platform, actions } = options;
  const onMac = platform === 'darwin';
  const openDataFolder: MenuItemConstructorOptions = {
    label: 'Open Data Folder',
    click: () => actions.openDataFolder(),
  };

  const appMenu: MenuItemConstructorOptions = {
    label: appName,
    submenu: [
      { role: 'about' },
      { type: 'separator' },
      { role: 'services' },
      { type: 'separator' },
      { role: 'hide' },
      { role: 'hideOthers' },
      { role: 'unhide' },
      { type: 'separator' },
      { role: 'quit' },
    ],
  };
  const fileMenu: MenuItemConstructorOptions = {
    label: '&File',
    submenu: [
      { label: 'Show Console', accelerator: 'CmdOrCtrl+N', click: () => actions.showWindow() },
      openDataFolder,
      { type: 'separator' },
      { role: 'close' },
      ...(onMac ? [] : [{ role: 'quit' as const, accelerator: 'Ctrl+Q' }]),
    ],
  };
  const viewMenu: MenuItemConstructorOptions = {
    label: '&View',
    submenu: [
      { role: 'reload' },
      { role: 'toggleDevTools' },
      { type: 'separator' },
      { role: 'resetZoom' },
      { role: 'zoomIn' },
      { role: 'zoomOut' },
      { type: 'separator' },
      { role: 'togglefullscreen' },
    ],
  };
  const helpMenu: MenuItemConstructorOptions = { role: 'help', submenu: [{ role: 'about' }] };

  return [
    ...(onMac ? [appMenu] : []),
    fileMenu,
    { role: 'editMenu' },
    viewMenu,
    { role: 'windowMenu' },
    ...(onMac ? [] : [helpMenu]),
  ];
}
