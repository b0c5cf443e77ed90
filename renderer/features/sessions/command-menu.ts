import type { SessionAgent } from '#contract';

export type AgentCommand = NonNullable<SessionAgent['commands']>[number];

/**
 * The commands that begin with what is typed: a slash and nothing but a name after it. Empty when it is something else.
 * A name that is typed out comes first, because Enter takes the first one.
 */
export function matchingCommands(text: string, commands: readonly AgentCommand[]): AgentCommand[] {
  const typed = /^\/(\S*)$/.exec(text)?.[1]?.toLowerCase();
  if (typed === undefined) return [];
  const isTypedOut = ({ name }: AgentCommand) => name.toLowerCase() === typed;
  const matches = commands.filter(({ name }) => name.toLowerCase().startsWith(typed));
  // A name that can be no other needs no help.
  if (matches.every(isTypedOut)) return [];
  return matches.toSorted((a, b) => Number(isTypedOut(b)) - Number(isTypedOut(a)));
}

/** The text after a command was chosen: ready to be sent, or for what it wants to be told. */
export function completed({ name, hint }: AgentCommand): string {
  return hint === undefined ? `/${name}` : `/${name} `;
}
