import { describe, expect, it } from 'vitest';
import {
  formatBudget,
  formatBytes,
  formatCost,
  formatCount,
  formatDuration,
  formatFigure,
  formatIso,
  formatNumber,
  formatRelativeTime,
  shortId,
} from './format.ts';

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [812, '812 B'],
    [1023, '1,023 B'],
    [1024, '1 KiB'],
    [1434, '1.4 KiB'],
    [1_048_575, '1 MiB'],
    [104_857_600, '100 MiB'],
    [5 * 1024 ** 4, '5 TiB'],
    [5000 * 1024 ** 4, '5,000 TiB'],
  ])('%d is %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));
});

describe('formatDuration', () => {
  it.each([
    [0, '0 ms'],
    [0.042, '0.04 ms'],
    [3.14, '3.1 ms'],
    [12.4, '12 ms'],
    [999.4, '999 ms'],
    [999.6, '1 s'],
    [1_500, '1.5 s'],
    [9_960, '10 s'],
    [59_400, '59 s'],
    [59_600, '1 min'],
    [184_000, '3 min 4 s'],
    [7_500_000, '2 h 5 min'],
    [3_600_000, '1 h'],
    [262_800_000, '3 d 1 h'],
  ])('%d ms is %s', (milliseconds, text) => expect(formatDuration(milliseconds)).toBe(text));
});

describe('formatRelativeTime', () => {
  const now = Date.UTC(2026, 10, 21, 14, 3, 7);
  it.each([
    [0, 'just now'],
    [999, 'just now'],
    [12_000, '12 s ago'],
    [59_999, '59 s ago'],
    [60_000, '1 min ago'],
    [3_599_999, '59 min ago'],
    [2 * 3_600_000, '2 h ago'],
    [6 * 86_400_000, '6 d ago'],
    [-500, 'just now'],
    [-30_000, 'in 30 s'],
  ])('%d ms before now is %s', (age, text) => expect(formatRelativeTime(now - age, now)).toBe(text));

  it('is a date beyond a week', () => {
    expect(formatRelativeTime(Date.UTC(2026, 10, 1, 12), now)).toBe('1 Nov 2026');
  });
});

describe('numbers, counts, ids', () => {
  it('separates thousands and keeps small figures readable', () => {
    expect(formatNumber(12_480)).toBe('12,480');
    expect([0, 0.126, 3.14, 99.95, 1234.5].map(formatFigure)).toEqual(['0', '0.13', '3.1', '100', '1,235']);
  });

  it('counts one and many', () => {
    expect(formatCount(1, 'session')).toBe('1 session');
    expect(formatCount(1_200, 'session')).toBe('1,200 sessions');
    expect(formatCount(0, 'entry', 'entries')).toBe('0 entries');
  });

  it('shortens an id in the middle, and only where that saves something', () => {
    expect(shortId('k3v9abcdefgh0000x81q')).toBe('k3v9…x81q');
    expect(shortId('echo')).toBe('echo');
    expect(shortId('abcdefghij')).toBe('abcdefghij');
    expect(shortId('abcdefghijk')).toBe('abcd…hijk');
  });

  it('writes the exact time in UTC', () => {
    expect(formatIso(Date.UTC(2026, 10, 21, 14, 3, 7, 120))).toBe('2026-11-21T14:03:07.120Z');
  });
});

describe('money and budgets', () => {
  it.each([
    [{ amount: 1.2, currency: 'USD' }, '$1.20'],
    [{ amount: 0.0042, currency: 'USD' }, '$0.0042'],
    [{ amount: 0, currency: 'USD' }, '$0.00'],
    [{ amount: 1234.5, currency: 'EUR' }, '1,234.50 EUR'],
  ])('writes %o as %s', (cost, text) => expect(formatCost(cost)).toBe(text));

  it('names the unit of a budget', () => {
    expect(formatBudget(12_400, 'tokens')).toBe('12,400 tokens');
    expect(formatBudget(8.5, 'minutes')).toBe('8.5 min');
    expect(formatBudget(3, 'money')).toBe('$3.00');
  });
});
