import * as z from 'zod';

/** A time as milliseconds since the Unix epoch. */
export const timestamp = z.int().nonnegative().describe('milliseconds since the Unix epoch');

/** An id as it appears in a path: what the runtime makes is lower-case base 32, archives may carry others. */
export const id = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[A-Za-z0-9._-]+$/, 'letters, digits, dot, underscore and dash only');

/**
 * A text that a process can be started with, of so many UTF-16 units: no system takes a null character there, and half of a
 * surrogate pair would reach it as another character.
 */
export const processText = (longest: number) =>
  z
    .string()
    .max(longest)
    .refine((text) => !text.includes('\0'), 'without null characters')
    .refine((text) => text.isWellFormed(), 'without half surrogate pairs');

/** The longest name that an agent may give to a thing of its own (a mode, an option, a way to log in), in UTF-16 units. */
export const MAX_TOLD_ID = 2000;

/** Query of every list: how many (100 at most) and from where. */
export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(50),
  cursor: z.string().max(512).optional().describe('`nextCursor` of the page before'),
});

/** A page of a list; no `nextCursor` means that it is the last one. */
export function page<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), nextCursor: z.string().optional() });
}

/** The longest text that a list is searched for, in UTF-16 units. */
export const MAX_SEARCH_LENGTH = 200;

export const idInput = z.object({ id });

export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };
