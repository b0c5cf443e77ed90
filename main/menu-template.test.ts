import { describe, expect, it } from 'vitest';
import { menuTemplate } from './menu-template.ts';

const template = (platform: NodeJS.Platform, clicked: string[] = []) =>
  menuTemplate({
    appName: 'SmallTalk Console',
    platform,
    actions: {
      showWindow: () => clicked.push('show'),
      openDataFolder: () => clicked.push('folder'),
    },
  });

/** Every role of a menu, its submenus included. */
function rolesOf(items: ReturnType<typeof menuTemplate>): string[] {
  return items.flatMap((item) => [
    ...(item.role === undefined ? [] : [item.role]),
    ...(Array.isArray(item.submenu) ? rolesOf(item.submenu) : []),
  ]);
}

describe('the app menu', () => {
  it.each(['darwin', 'win32', 'linux'] as const)('has one Quit and one About on %s', (platform) => {
    const roles = rolesOf(template(platform));
    expect(roles.filter((role) => role === 'quit')).toHaveLength(1);
    expect(roles.filter((role) => role === 'about')).toHaveLength(1);
    expect(roles).toContain('editMenu');
  });

  it('begins with the app on macOS and with File elsewhere', () => {
    expect(template('darwin')[0]?.label).toBe('SmallTalk Console');
    expect(template('linux')[0]?.label).toBe('&File');
  });

  it('does what its entries say, and leaves the keys of the console alone', () => {
    const clicked: string[] = [];
    const items = template('linux', clicked).flatMap((menu) =>
      Array.isArray(menu.submenu) ? menu.submenu : [],
    );
    for (const item of items) (item.click as (() => void) | undefined)?.();
    expect(clicked).toEqual(['show', 'folder']);
    expect(items.map((item) => item.accelerator)).not.toContain('CmdOrCtrl+K');
    expect(items.map((item) => item.accelerator)).not.toContain('CmdOrCtrl+B');
  });
});
