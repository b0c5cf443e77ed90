import type { LimitUnit } from '#contract';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const WEEK = 7 * DAY;

const integer = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const oneDecimal = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 });
const twoDecimals = new Intl.NumberFormat('en-US', { maximumFractionDigits: 2 });
const cents = new Intl.NumberFormat('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const fourDecimals = new Intl.NumberFormat('en-US', { minimumFractionDigits: 4, maximumFractionDigits: 4 });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const hourAndMinute = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const dayAndMonth = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });

/** Bytes in binary units: `0 B`, `812 B`, `1.4 KiB`, `100 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  // 1023.95 would be shown as 1,024 of the smaller unit.
  while (value >= 1023.95 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? integer.format(value) : oneDecimal.format(value)} ${units[unit]}`;
}

/** A count with thousands separated: `12,480`. */
export function formatNumber(value: number): string {
  return integer.format(value);
}

/** A figure that may be small, such as a rate: two decimals below 1, one below 100, none above. */
export function formatFigure(value: number): string {
  if (Math.abs(value) < 1) return twoDecimals.format(value);
  return Math.abs(value) < 100 ? oneDecimal.format(value) : integer.format(value);
}

/** `1 session`, `3 sessions`; `plural` where an s is not enough. */
export function formatCount(count: number, singular: string, plural = `${singular}s`): string {
  return `${integer.format(count)} ${count === 1 ? singular : plural}`;
}

/** Milliseconds as the two largest units that matter: `0.4 ms`, `12 ms`, `1.5 s`, `3 min 4 s`, `2 h 5 min`, `3 d 1 h`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1) return `${twoDecimals.format(milliseconds)} ms`;
  if (milliseconds < 10) return `${oneDecimal.format(milliseconds)} ms`;
  if (Math.round(milliseconds) < SECOND) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 9.95 * SECOND) return `${oneDecimal.format(milliseconds / SECOND)} s`;
  const seconds = Math.round(milliseconds / SECOND);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return pair(Math.floor(seconds / 60), 'min', seconds % 60, 's');
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1440) return pair(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  const hours = Math.floor(minutes / 60);
  return pair(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

/** How long ago, or how soon, `at` is, both in ms since the epoch: `just now`, `12 s ago`, `in 3 min`; a date beyond a week. */
export function formatRelativeTime(at: number, now: number): string {
  const distance = Math.abs(now - at);
  if (distance >= WEEK) return dayAndMonth.format(at);
  const text = distance < SECOND ? undefined : largestUnit(distance);
  if (text === undefined) return 'just now';
  return at > now ? `in ${text}` : `${text} ago`;
}

/** The exact time, in UTC: `2026-11-21T14:03:07.120Z`. */
export function formatIso(at: number): string {
  return new Date(at).toISOString();
}

/** The time of day where the user is: `14:03:07`. */
export function formatClock(at: number): string {
  return clock.format(at);
}

/** The time of day to the minute: `14:03`. */
export function formatHourAndMinute(at: number): string {
  return hourAndMinute.format(at);
}

/** The day where the user is: `21 Nov 2026`. */
export function formatDay(at: number): string {
  return dayAndMonth.format(at);
}

/** An id, shortened in the middle so that both its ends can be compared: `k3v9…x81q`. Short ones stay whole. */
export function shortId(id: string, ends = 4): string {
  return id.length <= ends * 2 + 2 ? id : `${id.slice(0, ends)}…${id.slice(-ends)}`;
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

function largestUnit(milliseconds: number): string {
  if (milliseconds < MINUTE) return `${Math.floor(milliseconds / SECOND)} s`;
  if (milliseconds < HOUR) return `${Math.floor(milliseconds / MINUTE)} min`;
  if (milliseconds < DAY) return `${Math.floor(milliseconds / HOUR)} h`;
  return `${Math.floor(milliseconds / DAY)} d`;
}

/** US dollars: `$1.20`; what is less than a cent keeps four digits, because agents cost that little. */
export function formatMoney(amount: number): string {
  return `$${(amount > 0 && amount < 0.01 ? fourDecimals : cents).format(amount)}`;
}

/** An amount of what a budget limits: `12,400 tokens`, `$1.20`, `8.5 min`. */
export function formatBudget(amount: number, unit: LimitUnit): string {
  switch (unit) {
    case 'tokens':
      return `${integer.format(amount)} tokens`;
    case 'money':
      return formatMoney(amount);
    case 'minutes':
      return `${formatFigure(amount)} min`;
  }
}

/** What something cost, in its own currency: `$1.20`, `3.10 EUR`. */
export function formatCost({ amount, currency }: { amount: number; currency: string }): string {
  return currency === 'USD' ? formatMoney(amount) : `${cents.format(amount)} ${currency}`;
}
