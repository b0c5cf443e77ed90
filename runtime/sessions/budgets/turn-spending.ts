import type { Clock } from '../../base/clock.ts';
import type { Spent, Turn, Usage } from '../../contract/index.ts';
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
  /** What the account stood at when the turn began. */
  #costBase = 0;
  /** What an account that was started anew in mid-turn had come to before. */
  #costCarried = 0;
  /** The turn may have cost more than what is counted. */
  #isCostUncertain = false;
  /** What was told before the agent was prompted; the turn cannot have cost it. */
  #costTooEarly: SessionCost | undefined;
  #isPrompted = false;
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

  /**
   * The agent is about to be prompted. A session that was made anew has an account that begins at nothing. One that was
   * opened again goes on with its account, with some agents, and with others begins a new one: that shows at the earliest
   * in what is told next.
   */
  tellOpened(knownBy: NonNullable<Turn['knownBy']>): void {
    this.#isPrompted = true;
    const tooEarly = this.#costTooEarly;
    this.#costTooEarly = undefined;
    if (knownBy === 'resumed' || knownBy === 'loaded') {
      if (tooEarly !== undefined) this.#costBefore = tooEarly;
      else if (this.#costBefore !== undefined) this.#costBefore = { ...this.#costBefore, isReopened: true };
      return;
    }
    if (knownBy !== 'kept' && this.#costBefore !== undefined) {
      this.#costBefore = { amount: 0, currency: this.#costBefore.currency };
    }
    if (tooEarly !== undefined) this.tellCost(tooEarly);
  }

  /** What the session has cost in all, by an account that the agent may begin anew at any time. */
  tellCost(cost: SessionCost): void {
    if (!this.#isPrompted) {
      this.#costTooEarly = cost;
      return;
    }
    if (this.#cost === undefined) this.#costBase = this.#baseOf(cost);
    else if (cost.currency !== this.#cost.currency) {
      // Amounts of two currencies make no sum: what was told in the other one is left out, and that is said.
      this.#costCarried = 0;
      this.#costBase = 0;
      this.#isCostUncertain = true;
    } else if (cost.amount < this.#cost.amount) {
      this.#costCarried = this.#toldAmount() ?? 0;
      this.#costBase = 0;
    }
    this.#cost = cost;
  }

  /**
   * What the model costs that answers. When it is switched in mid-turn nobody tells which tokens were whose: the dearer
   * price holds for all of them.
   */
  tellPrice(price: Price | undefined): void {
    const last = this.#price;
    this.#price =
      this.#isPrompted && price !== undefined && last !== undefined
        ? { input: Math.max(price.input, last.input), output: Math.max(price.output, last.output) }
        : price;
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
      unpriced: cost === undefined ? this.#isUnknown() : cost.currency !== DOLLAR || this.#isCostUncertain,
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
      return { amount: told, currency: this.#cost.currency, estimated: this.#isCostUncertain };
    }
    if (this.#usage?.cost !== undefined) return this.#usage.cost;
    if (this.#usage === undefined || this.#price === undefined) return undefined;
    return { amount: costOf(this.#price, this.#usage), currency: DOLLAR, estimated: true };
  }

  /**
   * What the account stood at before the turn, out of the first word of it in the turn. Less than before: it has begun
   * anew. As much as before or more: it goes on. After a session was opened again, more may also be the first amount of a
   * new account; then the difference is counted, which is certain, and it is said that this may not be all.
   */
  #baseOf({ amount, currency }: SessionCost): number {
    const before = this.#costBefore;
    if (before === undefined || currency !== before.currency || amount < before.amount) return 0;
    this.#isCostUncertain = before.isReopened === true && before.amount > 0 && amount > before.amount;
    return before.amount;
  }

  #toldAmount(): number | undefined {
    if (this.#cost === undefined) return undefined;
    return this.#costCarried + this.#cost.amount - this.#costBase;
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
