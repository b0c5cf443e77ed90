/** What the window may do, as plain functions; `security.ts` puts them in force. Imports nothing of Electron. */
import { CONSOLE_HOST } from './fetch-bridge.ts';

/** The only origin that the window ever shows. */
export const CONSOLE_ORIGIN = `app://${CONSOLE_HOST}`;

/** Copy buttons write to the clipboard; nothing else that asks for a permission has a place in the console. */
const ALLOWED_PERMISSIONS: ReadonlySet<string> = new Set(['clipboard-sanitized-write']);

/** True for a page of the console itself. */
export function isConsoleUrl(address: string): boolean {
  const url = URL.parse(address);
  return url !== null && url.protocol === 'app:' && url.host === CONSOLE_HOST && url.username === '';
}

/** True for a link that may be handed to the user's browser: `https:` only, and without a user name in it. */
export function isExternalLink(address: string): boolean {
  const url = URL.parse(address);
  return url !== null && url.protocol === 'https:' && url.username === '' && url.password === '';
}

export function isPermissionAllowed(permission: string, requestingUrl: string): boolean {
  return ALLOWED_PERMISSIONS.has(permission) && isConsoleUrl(requestingUrl);
}
