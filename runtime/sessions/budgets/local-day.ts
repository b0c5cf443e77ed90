/** The day of a time in the time zone of this machine, as YYYY-MM-DD: what "today" means to who looks at the clock. */
export function localDay(time: number): string {
  const date = new Date(time);
  const two = (number: number) => String(number).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** When the day of a time ends, in milliseconds since the epoch; days with a change of the clock are longer or shorter. */
export function endOfLocalDay(time: number): number {
  const date = new Date(time);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + 1).getTime();
}
