import type { EchoTurn } from './echo-turn.ts';

/** A slash command of the echo agent. */
export interface EchoCommand {
  name: string;
  description: string;
  /** What may follow it. */
  hint?: string;
  run(turn: EchoTurn, argument: string): Promise<void>;
}

/** The number that follows a command, within limits. */
export function numberOr(argument: string | undefined, fallback: number, most: number): number {
  const number = Number.parseFloat(argument ?? '');
  return Number.isNaN(number) ? fallback : Math.min(Math.max(number, 0), most);
}
