import { MAX_PROMPT_BYTES } from '#contract';

/** The part of the Web Storage API that a draft needs. */
export type DraftStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

const keyOf = (sessionId: string) => `smalltalk.draft.${sessionId}`;

/** What was being written in a session and was not sent; empty when there is none. */
export function readDraft(storage: DraftStorage, sessionId: string): string {
  try {
    return storage.getItem(keyOf(sessionId)) ?? '';
  } catch {
    return '';
  }
}

/** Keeps what is being written, so that a reload or a failed send loses nothing. A full storage keeps the older draft. */
export function keepDraft(storage: DraftStorage, sessionId: string, text: string): void {
  try {
    if (text === '') storage.removeItem(keyOf(sessionId));
    else storage.setItem(keyOf(sessionId), text);
  } catch {
    // The text is still in the composer; only a reload would lose it.
  }
}

/** Share of the limit from which the composer shows how much is left. */
const NEAR = 0.8;

export interface PromptSize {
  bytes: number;
  near: boolean;
  tooLarge: boolean;
}

/** How a prompt stands against {@link MAX_PROMPT_BYTES}; counts the bytes only where the length says that it may matter. */
export function promptSize(text: string, limit: number = MAX_PROMPT_BYTES): PromptSize {
  // A UTF-16 unit takes three bytes at most.
  if (text.length * 3 < limit * NEAR) return { bytes: text.length, near: false, tooLarge: false };
  const bytes = new TextEncoder().encode(text).byteLength;
  return { bytes, near: bytes >= limit * NEAR, tooLarge: bytes > limit };
}
