/** What an agent asks the user (ACP `elicitation/create`, mode `form`): a schema of ours out of its JSON Schema, and back. */
import * as z from 'zod';
import type { QuestionField } from '../../contract/index.ts';
import type { QuestionAnswer } from '../agents.ts';
import { boundedText } from './json-bounds.ts';

const MAX_FIELDS = 100;
const MAX_CHOICES = 500;
const MAX_TEXT = 4000;

const text = z.string().transform((told) => boundedText(told, MAX_TEXT));
const optionalText = text.nullish().catch(undefined);
const strings = z.array(z.string().max(MAX_TEXT)).min(1).max(MAX_CHOICES);
const titled = z
  .array(z.object({ const: z.string().max(MAX_TEXT), title: text }))
  .min(1)
  .max(MAX_CHOICES);

const property = z.object({
  type: z.string(),
  title: optionalText,
  description: optionalText,
  enum: strings.nullish(),
  oneOf: titled.nullish(),
  minItems: z.number().nullish().catch(undefined),
  items: z.object({ enum: strings.nullish(), anyOf: titled.nullish() }).nullish(),
});

export const elicitationParams = z.object({
  mode: z.string(),
  sessionId: z.string().nullish().catch(undefined),
  message: text.catch(''),
  requestedSchema: z
    .object({
      properties: z
        .record(z.string(), property)
        .refine((fields) => Object.keys(fields).length <= MAX_FIELDS)
        .nullish(),
      required: z.array(z.string()).nullish().catch(undefined),
    })
    .nullish(),
});
export type ElicitationParams = z.infer<typeof elicitationParams>;

/** A form that can be shown to a person. */
export interface Form {
  fields: QuestionField[];
  /** The fields whose answer is a list; a person picks one of its choices. */
  lists: ReadonlySet<string>;
}

/** The form; undefined when a required field is of a kind that cannot be shown. Others of such a kind are left out. */
export function formOf({ requestedSchema }: ElicitationParams): Form | undefined {
  const required = new Set(requestedSchema?.required ?? []);
  const fields: QuestionField[] = [];
  const lists = new Set<string>();
  for (const [name, told] of Object.entries(requestedSchema?.properties ?? {})) {
    const field = fieldOf(name, told, required.has(name));
    if (field === undefined) {
      if (required.has(name)) return undefined;
      continue;
    }
    fields.push(field);
    if (told.type === 'array') lists.add(name);
  }
  return { fields, lists };
}

function fieldOf(name: string, told: z.infer<typeof property>, required: boolean): QuestionField | undefined {
  const base = {
    name,
    title: told.title || name,
    ...(told.description ? { description: told.description } : {}),
    required,
  };
  switch (told.type) {
    case 'string': {
      const choices = choicesOf(told.oneOf, told.enum);
      return choices === undefined ? { ...base, type: 'text' } : { ...base, type: 'choice', choices };
    }
    case 'number':
    case 'integer':
    case 'boolean':
      return { ...base, type: told.type };
    case 'array': {
      const choices = choicesOf(told.items?.anyOf, told.items?.enum);
      if (choices === undefined || (told.minItems ?? 0) > 1) return undefined;
      return { ...base, type: 'choice', choices };
    }
    default:
      return undefined;
  }
}

function choicesOf(
  options: z.infer<typeof titled> | null | undefined,
  values: z.infer<typeof strings> | null | undefined,
): QuestionField['choices'] {
  if (options != null) return options.map((told) => ({ value: told.const, title: told.title }));
  return values?.map((value) => ({ value, title: value }));
}

/** The answer as ACP wants it. */
export function elicitationResponse(answer: QuestionAnswer, { lists }: Form): Record<string, unknown> {
  if (answer.action !== 'accept') return { action: answer.action };
  const content = Object.entries(answer.values).map(([name, value]) => [
    name,
    lists.has(name) ? [String(value)] : value,
  ]);
  return { action: 'accept', content: Object.fromEntries(content) };
}
