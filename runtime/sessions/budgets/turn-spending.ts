import type { Clock } from '../../base/clock.ts';
import type { Spent, Usage } from '../../contract/index.ts';
import { costOf, type Price } from './prices.ts';
import type { SessionCost } from './spending.ts';

const MINUTE_MS = 60_000;
const DOLLAR = 'USD';

/**
 * What a turn has used so far, from what its agent tells and from the clock. Tokens that nobody tells are not guessed.
 * What it costs is told by the agent, if not estimated by the price of its model, if not unknown (`unpriced`).
 */
export class TurnSpending {
  readonly #clock: Clock;
  #price: Price | undefined;
  #usage: Usage | undefined;
  /** What the session had cost before, and costs now, by the account of the agent. */
  #costBefore: SessionCost | undefined;
  #cost: SessionCost | undefined;
  /** What an account that was started anew in mid-turn had come to before. */
  #costCarried = 0;
  #activeMs = 0;
  #since: number | undefined;
  #waits = 0;
  #over = false;

  constructor(options: { clock: Clock; price: Price | undefined; costBefore: SessionCost | undefined }) {
    this.#clock = options.clock;
    this.#price = options.price;
    this.#costBefore = options.costBefore;
    this.#since = options.clock.monotonic();
  }

  /** The usage of the turn as it stands now. */
  tellUsage(usage: Usage): void {
    this.#usage = usage;
  }

  /** What the session has cost in all. An agent process that begins anew counts from nothing. */
  tellCost(cost: SessionCost): void {
    const last = this.#cost ?? this.#costBefore;
    if (last !== undefined && (cost.amount < last.amount || cost.currency !== last.currency)) {
      this.#costCarried = cost.currency === last.currency ? (this.#toldAmount() ?? 0) : 0;
      this.#costBefore = undefined;
    }
    this.#cost = cost;
  }

  tellPrice(price: Price | undefined): void {
    this.#price = price;
  }

  /** The time until `resume` does not count; several waits may overlap. */
  pause(): { resume(): void } {
    this.#waits += 1;
    this.#stopTime();
    let isOver = false;
    return {
      resume: () => {
        if (isOver) return;
        isOver = true;
        this.#waits -= 1;
        if (this.#waits === 0 && !this.#over) this.#since = this.#clock.monotonic();
      },
    };
  }

  /** The turn has ended: time stands still, and what nobody told is not known. */
  end(): void {
    this.#stopTime();
    this.#over = true;
  }

  get total(): Spent {
    const running = this.#since === undefined ? 0 : this.#clock.monotonic() - this.#since;
    const cost = this.#costNow();
    return {
      tokens: tokensOf(this.#usage),
      money: cost?.currency === DOLLAR ? cost.amount : 0,
      minutes: (this.#activeMs + running) / MINUTE_MS,
      unpriced: cost === undefined ? this.#isUnknown() : cost.currency !== DOLLAR,
    };
  }

  /** What is kept with the turn; undefined when the agent told nothing. */
  get usage(): Usage | undefined {
    const cost = this.#costNow();
    if (this.#usage === undefined && cost === undefined) return undefined;
    const { inputTokens, outputTokens } = this.#usage ?? { inputTokens: 0, outputTokens: 0 };
    return { inputTokens, outputTokens, ...(cost === undefined ? {} : { cost }) };
  }

  get sessionCost(): SessionCost | undefined {
    return this.#cost ?? this.#costBefore;
  }

  #isUnknown(): boolean {
    return this.#usage === undefined ? this.#over && this.#price === undefined : tokensOf(this.#usage) > 0;
  }

  #costNow(): Usage['cost'] {
    const told = this.#toldAmount();
    if (told !== undefined && this.#cost !== undefined) {
      return { amount: told, currency: this.#cost.currency, estimated: false };
    }
    if (this.#usage?.cost !== undefined) return this.#usage.cost;
    if (this.#usage === undefined || this.#price === undefined) return undefined;
    return { amount: costOf(this.#price, this.#usage), currency: DOLLAR, estimated: true };
  }

  #toldAmount(): number | undefined {
    if (this.#cost === undefined) return undefined;
    return this.#costCarried + Math.max(0, this.#cost.amount - (this.#costBefore?.amount ?? 0));
  }

  #stopTime(): void {
    if (this.#since === undefined) return;
    this.#activeMs += this.#clock.monotonic() - this.#since;
    this.#since = undefined;
  }
}

function tokensOf(usage: Usage | undefined): number {
  return usage === undefined ? 0 : usage.inputTokens + usage.outputTokens;
}
