/** Puts the rules of `security-rules.ts` in force. The Content-Security-Policy is on the console's responses. */
import { app, type Session, shell, type WebContents, type WebPreferences } from 'electron';
import { isConsoleUrl, isExternalLink, isPermissionAllowed } from './security-rules.ts';

/** The renderer is a plain web page: what it needs it gets from `/api`, so there is no preload script either. */
export const WEB_PREFERENCES: WebPreferences = {
  sandbox: true,
  contextIsolation: true,
  nodeIntegration: false,
  nodeIntegrationInWorker: false,
  nodeIntegrationInSubFrames: false,
  webSecurity: true,
  allowRunningInsecureContent: false,
  webviewTag: false,
  navigateOnDragDrop: false,
  spellcheck: false,
};

/** Must be called before the app is ready: the sandbox holds for every renderer from the first one on. */
export function enforceSecurity(): void {
  app.enableSandbox();
  app.on('web-contents-created', (_event, contents) => restrict(contents));
  app.on('session-created', denyPermissions);
}

function restrict(contents: WebContents): void {
  contents.on('will-attach-webview', (event) => event.preventDefault());
  contents.on('will-frame-navigate', (event) => {
    if (isConsoleUrl(event.url)) return;
    event.preventDefault();
    if (event.isMainFrame) openOutside(event.url);
  });
  contents.on('will-redirect', (event) => {
    if (!isConsoleUrl(event.url)) event.preventDefault();
  });
  contents.setWindowOpenHandler(({ url }) => {
    openOutside(url);
    return { action: 'deny' };
  });
}

function openOutside(url: string): void {
  // No browser, or none that takes the link: the user sees that nothing opened, and nothing else depends on it.
  if (isExternalLink(url)) shell.openExternal(url).catch(() => undefined);
}

function denyPermissions(session: Session): void {
  session.setPermissionRequestHandler((_contents, permission, callback, details) =>
    callback(isPermissionAllowed(permission, details.requestingUrl)),
  );
  session.setPermissionCheckHandler((_contents, permission, requestingOrigin) =>
    isPermissionAllowed(permission, requestingOrigin),
  );
  session.setDevicePermissionHandler(() => false);
}
