import type { Backup } from '#contract';

export interface BackupDay {
  /** Midnight where the user is, in ms since the epoch. */
  day: number;
  label: string;
  items: Backup[];
}

const weekday = new Intl.DateTimeFormat('en-GB', { weekday: 'long', day: 'numeric', month: 'long' });
const withYear = new Intl.DateTimeFormat('en-GB', {
  weekday: 'long',
  day: 'numeric',
  month: 'long',
  year: 'numeric',
});

function midnight(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0);
}

/** The midnight of the day before; a day has 23 or 25 hours twice a year. */
function dayBefore(day: number): number {
  const date = new Date(day);
  return date.setDate(date.getDate() - 1);
}

/** Groups archives by the day on which they were made, where the user is; the newest first, whatever order they come in. */
export function backupDays(backups: readonly Backup[], now: number): BackupDay[] {
  const days = new Map<number, BackupDay>();
  for (const backup of backups.toSorted((a, b) => b.createdAt - a.createdAt)) {
    const day = midnight(backup.createdAt);
    const group = days.get(day);
    if (group === undefined) days.set(day, { day, label: dayLabel(day, now), items: [backup] });
    else group.items.push(backup);
  }
  return [...days.values()];
}

function dayLabel(day: number, now: number): string {
  const today = midnight(now);
  if (day === today) return 'Today';
  if (day === dayBefore(today)) return 'Yesterday';
  const format = new Date(day).getFullYear() === new Date(now).getFullYear() ? weekday : withYear;
  // Whether there is a comma after the weekday depends on the ICU data of the browser.
  return format.format(day).replace(',', '');
}
