/** What the built-in agents have in common: ordinary ACP programs on stdin and stdout, which end with their stdin. */
import { Readable, Writable } from 'node:stream';
import { type AgentApp, ndJsonStream } from '@agentclientprotocol/sdk';

/** What a client told in `session/new` of the turns before. */
export interface KnownTurnEntry {
  role: 'user' | 'agent';
  text: string;
}

/**
 * Serves the app until stdin ends, then exits: with the console gone, an agent has no reason to live. The types of the
 * DOM and those of Node.js describe the same streams.
 */
export function serveStdio(app: AgentApp): void {
  process.stdin.on('end', () => process.exit(0));
  process.stdout.on('error', () => process.exit(0));
  app.connect(
    ndJsonStream(
      Writable.toWeb(process.stdout) as WritableStream<Uint8Array>,
      Readable.toWeb(process.stdin) as unknown as ReadableStream<Uint8Array>,
    ),
  );
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
