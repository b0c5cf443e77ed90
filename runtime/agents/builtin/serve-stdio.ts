/** What the built-in agents have in common: ordinary ACP programs on stdin and stdout, which end with their stdin. */
import type { AgentApp } from './acp-server.ts';

/** What a client told in `session/new` of the turns before. */
export interface KnownTurnEntry {
  role: 'user' | 'agent';
  text: string;
}

/** The code that was compiled at the start is written down when the first requests have been answered. */
const CALM_MS = 500;

/** `parseArgs` of Node.js. An import of `node:util` loads all that it has, which takes a third of the start of an agent. */
export const { parseArgs: parseFlags } = process.getBuiltinModule('node:util');

/** Serves the app until stdin ends, then exits: with the console gone, an agent has no reason to live. */
export function serveStdio(app: AgentApp): void {
  process.stdout.on('error', () => process.exit(0));
  const take = app.connect(
    (text) =>
      new Promise((resolve) => {
        process.stdout.write(text, () => resolve());
      }),
  );
  process.stdin
    .setEncoding('utf8')
    .on('data', take)
    .on('end', () => process.exit(0));
  // Not left to the exit, because a process that is killed has none, and the next one would compile everything again.
  setTimeout(() => process.getBuiltinModule('node:module').flushCompileCache(), CALM_MS).unref();
}

/** The entries of a history that came over the wire; what does not look like one is left out. */
export function knownTurns(value: unknown): KnownTurnEntry[] {
  if (!Array.isArray(value)) return [];
  return value.filter(
    (entry): entry is KnownTurnEntry =>
      (entry?.role === 'user' || entry?.role === 'agent') && typeof entry.text === 'string',
  );
}

/** A content block of a prompt, as far as it is read here. */
export interface PromptBlock {
  type: string;
  text?: unknown;
  mimeType?: unknown;
  data?: unknown;
  resource?: unknown;
}

/** The text of a prompt; what is no text is named. */
export function promptText(blocks: readonly PromptBlock[]): string {
  return blocks.map(blockText).join('\n');
}

function blockText({ type, text, mimeType, data, resource }: PromptBlock): string {
  if (typeof text === 'string') return text;
  const file = (resource ?? {}) as { uri?: unknown; text?: unknown; blob?: unknown };
  const content = file.text ?? file.blob ?? data;
  const what = [mimeType, file.uri].filter((word) => typeof word === 'string').join(' ');
  const size = typeof content === 'string' ? `, ${content.length} characters` : '';
  return what === '' ? `[${type}]` : `[${type} ${what}${size}]`;
}

/** Resolves after `ms`, or at once when the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal.addEventListener('abort', finish);
  });
}
