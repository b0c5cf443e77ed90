/** One argument of a POSIX shell, whatever the text holds. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * The request that sends a prompt, as a command for a shell. The token is left to the shell's environment: it never
 * appears on the screen or in the clipboard.
 */
export function promptAsCurl(origin: string, sessionId: string, message: string): string {
  return [
    `curl -X POST ${quote(`${origin}/api/sessions/${encodeURIComponent(sessionId)}/prompt`)}`,
    `-H ${quote('Content-Type: application/json')}`,
    '-H "Authorization: Bearer $API_TOKEN"',
    `--data-raw ${quote(JSON.stringify({ message }))}`,
  ].join(' \\\n  ');
}
