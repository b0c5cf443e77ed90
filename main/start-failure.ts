/**
 * What the window shows when the runtime did not start (a bad setting, a data folder that cannot be used): the reason
 * in words, and a button to try again. Stands in front of the console, because the console's files may be fine while
 * there is nothing behind them. Imports nothing of Electron.
 */
import type { Fetch } from './fetch-bridge.ts';

const TRY_AGAIN = '/start/try-again';

export interface StartFailureOptions {
  /** Why the last start failed; undefined when it did not. */
  failure: () => unknown;
  /** Tries to start again; rejects when that fails too. */
  start: () => Promise<void>;
  /** Where the data lies; named on the page, because most reasons are found there. */
  dataDir: string;
}

/** Wraps the handler of the `app:` scheme: as long as there is a failure, pages show it; all else passes through. */
export function showStartFailures(next: Fetch, options: StartFailureOptions): Fetch {
  return async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === TRY_AGAIN && request.method === 'POST') {
      await options.start().catch(() => undefined);
      return new Response(null, { status: 303, headers: { location: '/' } });
    }
    const failure = options.failure();
    const isPage = (request.headers.get('accept') ?? '').includes('text/html');
    if (failure === undefined || !isPage) return next(request);
    return new Response(page(failure, options.dataDir), {
      status: 503,
      headers: {
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
        'content-security-policy':
          "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'",
      },
    });
  };
}

function page(failure: unknown, dataDir: string): string {
  const reason = failure instanceof Error ? failure.message : String(failure);
  const code = (failure as { code?: unknown } | null)?.code;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>SmallTalk Console did not start</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
  main { max-width: 42rem; margin: 12vh auto; padding: 0 1.5rem; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; border-left: 4px solid #e03131; padding-left: 1rem; }
  small { opacity: .8; overflow-wrap: anywhere; }
  button { font: inherit; padding: .5rem 1rem; }
</style>
<main>
  <h1>SmallTalk Console did not start</h1>
  <pre role="alert">${escapeHtml(reason)}</pre>
  <p>Nothing was lost or changed. Put it right and try again.</p>
  <form method="post" action="${TRY_AGAIN}"><button autofocus>Try again</button></form>
  <p><small>Data folder: ${escapeHtml(dataDir)}${typeof code === 'string' ? ` · ${escapeHtml(code)}` : ''}</small></p>
</main>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
