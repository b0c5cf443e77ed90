/**
 * The text of a value that is not in its file yet: where it lies among the bytes that were made for the journal, which the
 * garbage collector need not copy again and again; or the text itself, when it is not ASCII.
 */
export type HeldText = string | TextPlace;

/** ASCII from one byte up to another. The bytes are never changed. */
export interface TextPlace {
  readonly bytes: Buffer;
  readonly from: number;
  readonly to: number;
}

export function textOf(held: HeldText): string {
  return typeof held === 'string' ? held : held.bytes.toString('latin1', held.from, held.to);
}
