import {
  type BudgetNotice,
  type Limit,
  type LimitUnit,
  type NeedsYouItem,
  type Spent,
  suggestedRaise,
} from '../../contract/index.ts';

/** From this share of a limit on, there is a notice. */
const NOTICE_SHARE = 0.8;

const UNITS = ['tokens', 'money', 'minutes'] as const satisfies LimitUnit[];

/** How each unit of a limit stands. */
export function standings(
  of: Pick<BudgetNotice, 'scope' | 'subject'>,
  used: Spent,
  limits: Limit,
): BudgetNotice[] {
  return UNITS.flatMap((unit) => {
    const limit = limits[unit];
    return limit === undefined ? [] : { ...of, unit, used: used[unit], limit };
  });
}

export function isExhausted({ used, limit }: BudgetNotice): boolean {
  return used >= limit;
}

export function isNoticeable({ used, limit }: BudgetNotice): boolean {
  return used >= limit * NOTICE_SHARE;
}

/** True when both are about the same budget, however much of it was used. */
export function isSameBudget(a: BudgetNotice, b: BudgetNotice): boolean {
  return a.scope === b.scope && a.subject === b.subject && a.unit === b.unit;
}

/** The limits that hold: one's own, and where there is none the general one, unit by unit. */
export function limitsOver(own: Limit | undefined, general: Limit | undefined): Limit {
  return { ...general, ...own };
}

function describeAmount(unit: LimitUnit, amount: number): string {
  switch (unit) {
    case 'tokens':
      return `${Math.round(amount).toLocaleString('en-US')} tokens`;
    case 'money':
      return `$${amount.toFixed(2)}`;
    case 'minutes':
      return `${Number(amount.toFixed(1)).toLocaleString('en-US')} minutes`;
  }
}

const OF = {
  turn: 'of the turn',
  session: 'of the session',
  agent: 'of the agent for today',
  day: 'for today',
} as const;

export function describeNotice(notice: BudgetNotice): string {
  const { scope, unit, used, limit } = notice;
  // "900 of 1,000 tokens", "$0.90 of $1.00"
  const [amount] = describeAmount(unit, used).split(' ');
  return `The budget ${OF[scope]} is used up: ${amount} of ${describeAmount(unit, limit)}.`;
}

/** How the user is asked what is to become of a budget that is used up. */
export function describeQuestion(notice: BudgetNotice): Pick<NeedsYouItem, 'title' | 'detail' | 'options'> {
  return {
    title: describeNotice(notice),
    detail:
      notice.scope === 'session' || notice.scope === 'turn'
        ? 'A raised limit holds for this session.'
        : 'A raised limit holds until the day ends.',
    options: [
      {
        id: 'raise',
        name: `Raise to ${describeAmount(notice.unit, suggestedRaise(notice))}`,
        kind: 'raise',
      },
      { id: 'stop', name: 'Stop', kind: 'stop' },
    ],
  };
}
