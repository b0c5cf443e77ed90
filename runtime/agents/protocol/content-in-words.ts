import * as z from 'zod';

const block = z.object({
  type: z.string(),
  text: z.string().optional().catch(undefined),
  mimeType: z.string().nullish().catch(undefined),
  name: z.string().optional().catch(undefined),
  uri: z.string().nullish().catch(undefined),
  resource: z
    .object({ uri: z.string().optional().catch(undefined), text: z.string().optional().catch(undefined) })
    .optional()
    .catch(undefined),
});

/** An ACP content block as text, for where only text can be: a search, a copy, a terminal. */
export function contentInWords(content: unknown): string {
  const parsed = block.safeParse(content);
  if (!parsed.success) return '[unknown content]';
  const { type, text, mimeType, name, uri, resource } = parsed.data;
  if (text !== undefined) return text;
  if (resource?.text !== undefined) return resource.text;
  const what = [name, mimeType, uri ?? resource?.uri].find(Boolean);
  return what == null ? `[${type}]` : `[${type}: ${what.slice(0, 500)}]`;
}
