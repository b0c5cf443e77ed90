import { describe, expect, it } from 'vitest';
import { isConsoleUrl, isExternalLink, isPermissionAllowed } from './security-rules.ts';

describe('isConsoleUrl', () => {
  it.each(['app://console/', 'app://console/sessions/1?t=2#x'])('accepts %s', (url) => {
    expect(isConsoleUrl(url)).toBe(true);
  });
  it.each([
    'https://console/',
    'app://console.evil.example/',
    'app://evil/console',
    'app://user@console/',
    'app:console',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'data:text/html,x',
    'about:blank',
    '',
  ])('refuses %s', (url) => {
    expect(isConsoleUrl(url)).toBe(false);
  });
});

describe('isExternalLink', () => {
  it('accepts https', () => {
    expect(isExternalLink('https://github.com/agentclientprotocol')).toBe(true);
  });
  it.each([
    'http://example.com/',
    'file:///etc/passwd',
    'smb://host/share',
    'ms-msdt:/id',
    'javascript:alert(1)',
    'https://bank.example@evil.example/',
    'app://console/',
    'nonsense',
  ])('refuses %s', (url) => {
    expect(isExternalLink(url)).toBe(false);
  });
});

describe('isPermissionAllowed', () => {
  it('lets the console write to the clipboard and do nothing else', () => {
    expect(isPermissionAllowed('clipboard-sanitized-write', 'app://console/events')).toBe(true);
    for (const permission of ['clipboard-read', 'media', 'geolocation', 'notifications', 'openExternal']) {
      expect(isPermissionAllowed(permission, 'app://console/')).toBe(false);
    }
  });
  it('lets nobody else do even that', () => {
    expect(isPermissionAllowed('clipboard-sanitized-write', 'https://example.com/')).toBe(false);
    expect(isPermissionAllowed('clipboard-sanitized-write', '')).toBe(false);
  });
});
