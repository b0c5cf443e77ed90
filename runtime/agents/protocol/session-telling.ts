/**
 * What an agent tells of a session beside its answers: modes, commands, options, the context window, the cost. What does
 * not have the shape that we know is taken for not told.
 */
import * as z from 'zod';
import type { SessionAgent } from '../../contract/index.ts';
import type { SessionTold } from '../agents.ts';
import { count, MOST_MONEY, type OpenedResponse } from './agent-responses.ts';
import { boundedText } from './json-bounds.ts';

const MAX_ITEMS = 500;
const MAX_TEXT = 2000;

const text = z.string().transform((told) => boundedText(told, MAX_TEXT));
const description = text.nullish().catch(undefined);
const id = z.string().min(1).max(MAX_TEXT);

/** The items of a list that have the right shape; the others do not cost them their place. */
function listOf<T extends z.ZodType>(item: T) {
  return z.array(z.unknown()).transform((items) =>
    items.slice(0, MAX_ITEMS).flatMap((value): z.infer<T>[] => {
      const parsed = item.safeParse(value);
      return parsed.success ? [parsed.data] : [];
    }),
  );
}

function described<T extends object>(value: T & { description?: string | null | undefined }) {
  const { description: told, ...rest } = value;
  return told ? { ...rest, description: told } : rest;
}

const modes = z.object({
  currentModeId: id,
  availableModes: listOf(z.object({ id, name: text, description }).transform(described)),
});

const commands = listOf(
  z
    .object({
      name: id,
      description: text.catch(''),
      input: z.object({ hint: text }).nullish().catch(undefined),
    })
    .transform(({ name, description: told, input }) =>
      input == null ? { name, description: told } : { name, description: told, hint: input.hint },
    ),
);

const choice = z.object({ value: z.string().max(MAX_TEXT), name: text, description }).transform(described);

/** A choice, or a group of them; a group's name goes before the names of its choices. */
const choices = z.array(z.unknown()).transform((items) =>
  items.slice(0, MAX_ITEMS).flatMap((value): z.infer<typeof choice>[] => {
    const single = choice.safeParse(value);
    if (single.success) return [single.data];
    const group = z.object({ name: text, options: listOf(choice) }).safeParse(value);
    if (!group.success) return [];
    return group.data.options.map((option) => ({ ...option, name: `${group.data.name}: ${option.name}` }));
  }),
);

const optionBase = z.object({
  id,
  name: text,
  description,
  category: z.string().max(MAX_TEXT).nullish().catch(undefined),
});
const option = z.union([
  optionBase
    .extend({ type: z.literal('select'), currentValue: z.string().max(MAX_TEXT), options: choices })
    .transform(({ currentValue, options, ...told }) => ({
      ...toOption(told),
      value: currentValue,
      choices: options,
    })),
  optionBase
    .extend({ type: z.literal('boolean'), currentValue: z.boolean() })
    .transform(({ currentValue, ...told }) => ({ ...toOption(told), value: currentValue })),
]);
const options = listOf(option);

function toOption({ id: optionId, name, description: told, category }: z.infer<typeof optionBase>) {
  return {
    id: optionId,
    name,
    ...(told ? { description: told } : {}),
    ...(category ? { category } : {}),
  };
}

const usageUpdate = z.object({
  used: count,
  size: count,
  cost: z
    .object({ amount: z.number().nonnegative().max(MOST_MONEY), currency: z.string().min(1).max(10) })
    .nullish()
    .catch(undefined),
});

/** The telling of one session: most of it is told in pieces that make sense only with what was told before. */
export class SessionTelling {
  /** What the session offers, as it was told last. */
  modes: SessionAgent['modes'];
  options: SessionAgent['options'];

  /** What is told by the answer that opened the session. */
  opened(response: OpenedResponse): SessionTold {
    this.modes = modes.safeParse(response.modes).data;
    return {
      ...(this.modes === undefined ? {} : { modes: this.modes }),
      ...this.optionsAre(response.configOptions),
    };
  }

  /** What is told by a `session/update`; undefined when nothing is. */
  update(update: unknown): SessionTold | undefined {
    const told = (update ?? {}) as Record<string, unknown>;
    switch (told.sessionUpdate) {
      case 'available_commands_update': {
        const parsed = commands.safeParse(told.availableCommands);
        return parsed.success ? { commands: parsed.data } : undefined;
      }
      case 'current_mode_update':
        return typeof told.currentModeId === 'string' ? this.modeIs(told.currentModeId) : undefined;
      case 'config_option_update':
        return this.optionsAre(told.configOptions);
      case 'usage_update': {
        const parsed = usageUpdate.safeParse(told);
        if (!parsed.success) return undefined;
        const { used, size, cost } = parsed.data;
        return { contextWindow: { used, size }, ...(cost == null ? {} : { cost }) };
      }
      case 'session_info_update':
        return typeof told.title === 'string' && told.title.trim() !== ''
          ? { title: told.title.trim().slice(0, 200).toWellFormed() }
          : undefined;
      default:
        return undefined;
    }
  }

  /** The mode was switched. */
  modeIs(currentModeId: string): SessionTold | undefined {
    if (this.modes === undefined) return undefined;
    this.modes = { ...this.modes, currentModeId };
    return { modes: this.modes };
  }

  /** The options are these now; undefined when that is no list of options. */
  optionsAre(configOptions: unknown): SessionTold | undefined {
    const parsed = options.safeParse(configOptions);
    if (!parsed.success) return undefined;
    this.options = parsed.data;
    return { options: parsed.data };
  }
}
