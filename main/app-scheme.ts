/** The `app:` scheme, which serves the console and its API to the window; the only file that knows `protocol`. */
import { protocol } from 'electron';
import type { Fetch } from './fetch-bridge.ts';

/** Must be called before the app is ready. Gives `app:` an origin, so that relative URLs, cookies and fetch work. */
export function registerAppScheme(): void {
  protocol.registerSchemesAsPrivileged([
    { scheme: 'app', privileges: { standard: true, secure: true, supportFetchAPI: true, stream: true } },
  ]);
}

/** Answers every request of the `app:` scheme with `handle`. */
export function serveAppScheme(handle: Fetch): void {
  protocol.handle('app', handle);
}
