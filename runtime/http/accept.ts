/** True for a browser that opens a page, as against a script that asks for data. */
export function wantsPage(request: Request): boolean {
  return (request.headers.get('accept') ?? '').includes('text/html');
}

/** True for a script that asks for JSON and nothing that a browser would show. */
export function wantsJson(request: Request): boolean {
  return (request.headers.get('accept') ?? '').includes('application/json') && !wantsPage(request);
}
