/** Puts the app menu in place. */
import { app, Menu } from 'electron';
import { type MenuActions, menuTemplate } from './menu-template.ts';

export function installMenu(actions: MenuActions): void {
  const template = menuTemplate({ appName: app.name, platform: process.platform, actions });
  Menu.setApplicationMenu(Menu.buildFromTemplate(template));
}
