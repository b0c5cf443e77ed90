/**
 * The page for a browser that has no token yet: says where the address with the token is found, and takes it. Plain HTML:
 * the console's own files are behind the token.
 */
export function signInPage(options: { wrongToken: boolean; path: string }): Response {
  const problem = options.wrongToken
    ? '<p class="problem" role="alert">That token is not the right one. Perhaps it was cut off when it was copied.</p>'
    : '';
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>SmallTalk Console: token needed</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 12vh auto; padding: 0 1.5rem; }
  h1 { font-size: 1.4rem; }
  label { display: block; font-weight: 600; margin-bottom: .3rem; }
  input { font: inherit; width: 100%; box-sizing: border-box; padding: .5rem .6rem; }
  button { font: inherit; margin-top: .8rem; padding: .5rem 1rem; cursor: pointer; }
  .problem { border-left: 4px solid #c92a2a; padding-left: .8rem; }
  code { font-family: ui-monospace, monospace; white-space: nowrap; }
</style>
</head>
<body>
<main>
<h1>SmallTalk Console needs its token</h1>
${problem}
<p>Open the address that was printed when it started: it ends in <code>?token=…</code>. Or paste the token here; it is
also in the file <code>token</code> in the data folder.</p>
<form method="get" action="${escapeHtml(options.path)}">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button type="submit">Open the console</button>
</form>
</main>
</body>
</html>
`;
  return new Response(html, {
    status: 401,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'www-authenticate': 'Bearer realm="SmallTalk Console"',
    },
  });
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
