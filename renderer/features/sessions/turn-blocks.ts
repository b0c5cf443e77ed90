import type { Message, SessionDetail, Turn } from '#contract';

/** A prompt and all that answers it, as the transcript shows it. */
export interface TurnBlock {
  id: string;
  /** Not there while only the first words of a turn have arrived. */
  turn: Turn | undefined;
  prompts: Message[];
  /** What the agent said and did, in order. */
  entries: Message[];
}

/** Groups the messages by turn, in the order in which the turns began. */
export function turnBlocks(detail: Pick<SessionDetail, 'messages' | 'turns'>): TurnBlock[] {
  const turns = new Map(detail.turns.map((turn) => [turn.id, turn]));
  const blocks = new Map<string, TurnBlock>();
  const blockOf = (turnId: string): TurnBlock => {
    let block = blocks.get(turnId);
    if (block === undefined) {
      block = { id: turnId, turn: turns.get(turnId), prompts: [], entries: [] };
      blocks.set(turnId, block);
    }
    return block;
  };
  for (const message of detail.messages) {
    const block = blockOf(message.turnId);
    (message.role === 'user' ? block.prompts : block.entries).push(message);
  }
  for (const turn of detail.turns) blockOf(turn.id);
  return [...blocks.values()];
}

/**
 * Takes over every block of `before` that says the same, so that a component that is given a block is drawn again only
 * when something in that block changed.
 */
export function reuseBlocks(before: readonly TurnBlock[], after: readonly TurnBlock[]): TurnBlock[] {
  const known = new Map(before.map((block) => [block.id, block]));
  return after.map((block) => {
    const old = known.get(block.id);
    return old !== undefined &&
      old.turn === block.turn &&
      sameItems(old.prompts, block.prompts) &&
      sameItems(old.entries, block.entries)
      ? old
      : block;
  });
}

function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}

/** The runtime sends the prompt of the turn again by itself: it was cut off. One that the user cancelled is a new prompt. */
export function isResendable(turn: Turn | undefined): boolean {
  if (turn === undefined) return false;
  if (turn.state === 'interrupted' || turn.state === 'failed') return true;
  return turn.state === 'cancelled' && turn.error?.code === 'budget.exhausted';
}

/** The text of the prompt, as it would be sent again. */
export function promptOf(block: TurnBlock): string {
  return block.prompts.map((message) => message.text).join('\n\n');
}

/** The answer without thoughts and tool calls. */
export function answerOf(block: TurnBlock): string {
  return block.entries
    .filter((message) => message.kind === 'text')
    .map((message) => message.text)
    .join('\n\n');
}
