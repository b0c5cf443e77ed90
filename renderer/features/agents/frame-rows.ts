import type { ProtocolFrame } from '#contract';

/** A frame as the list shows it. */
export interface FrameRow {
  readonly frame: ProtocolFrame;
  readonly kind: 'request' | 'answer' | 'notification' | 'noise';
  /** Of an answer: from its request until it, in milliseconds. */
  readonly durationMs?: number;
}

/** So many frames are kept on the screen; the runtime keeps 500. */
export const FRAMES_SHOWN = 1000;

/** The rows with the frames that came after them, answers paired with their requests; the oldest fall out. */
export function withFrames(rows: readonly FrameRow[], frames: readonly ProtocolFrame[]): readonly FrameRow[] {
  if (frames.length === 0) return rows;
  const open = new Map<string, number>();
  for (const row of rows) note(open, row);
  const added = frames.map((frame) => {
    const row = rowOf(frame, open);
    note(open, row);
    return row;
  });
  return [...rows, ...added].slice(-FRAMES_SHOWN);
}

/**
 * The rows after all frames that the runtime still has were read once more, because it may have been started again since:
 * then its frames count from one again, and those before are of another life.
 */
export function withAllFrames(
  rows: readonly FrameRow[],
  frames: readonly ProtocolFrame[],
): readonly FrameRow[] {
  const known = new Map(rows.map(({ frame }) => [frame.number, frame.at]));
  const last = rows.at(-1)?.frame.number ?? 0;
  return frames.some((frame) => known.get(frame.number) === frame.at)
    ? withFrames(
        rows,
        frames.filter((frame) => frame.number > last),
      )
    : withFrames([], frames);
}

/** How many of the rows came after those that are held. */
export function newerThan(rows: readonly FrameRow[], held: readonly FrameRow[]): number {
  const last = held.at(-1)?.frame;
  if (last === undefined) return rows.length;
  const place = rows.findLastIndex(({ frame }) => frame.number === last.number && frame.at === last.at);
  // Where the last one is gone, all have come since: it fell out, or the runtime was started again.
  return rows.length - 1 - place;
}

/** Keeps in `open` when each request that has no answer yet was seen. */
function note(open: Map<string, number>, { kind, frame }: FrameRow): void {
  if (kind === 'request') open.set(keyOf(frame, frame.direction), frame.at);
  if (kind === 'answer') open.delete(keyOf(frame, opposite(frame.direction)));
}

function rowOf(frame: ProtocolFrame, open: ReadonlyMap<string, number>): FrameRow {
  if (frame.direction === 'noise') return { frame, kind: 'noise' };
  if (frame.requestId === undefined) return { frame, kind: 'notification' };
  if (saysMethod(frame.text)) return { frame, kind: 'request' };
  const askedAt = open.get(keyOf(frame, opposite(frame.direction)));
  return askedAt === undefined
    ? { frame, kind: 'answer' }
    : { frame, kind: 'answer', durationMs: Math.max(0, frame.at - askedAt) };
}

/**
 * Each side counts its requests by itself, so that the same id may be under way both ways; a new process begins again.
 * `asked` is the direction of the request.
 */
function keyOf(frame: ProtocolFrame, asked: ProtocolFrame['direction']): string {
  return `${frame.generation} ${asked} ${JSON.stringify(frame.requestId)}`;
}

function opposite(direction: ProtocolFrame['direction']): ProtocolFrame['direction'] {
  return direction === 'sent' ? 'received' : 'sent';
}

/** Whether it is a request: an answer names no method. A frame that was cut can only be looked at from its beginning. */
function saysMethod(text: string): boolean {
  const value = parsed(text);
  if (value !== undefined) return typeof value === 'object' && value !== null && 'method' in value;
  return /^\{(?:"(?:jsonrpc|id)":(?:"[^"]*"|\d+),)*"method":/.test(text);
}

/** How the runtime asks whether an agent is alive: most of the frames of one that is idle. */
const PROBE_METHOD = '_smalltalk/ping';

export interface FrameFilter {
  readonly direction: ProtocolFrame['direction'] | undefined;
  readonly method: string | undefined;
  readonly text: string;
  /** Probes too; they are shown in any case when their method is asked for. */
  readonly probes: boolean;
}

/** The rows that match, the newest first. */
export function framesShown(rows: readonly FrameRow[], filter: FrameFilter): FrameRow[] {
  const wanted = filter.text.trim().toLowerCase();
  return rows
    .filter(
      ({ frame }) =>
        (filter.probes || filter.method === PROBE_METHOD || frame.method !== PROBE_METHOD) &&
        (filter.direction === undefined || frame.direction === filter.direction) &&
        (filter.method === undefined || frame.method === filter.method) &&
        (wanted === '' || frame.text.toLowerCase().includes(wanted)),
    )
    .toReversed();
}

/** The methods that occur, by name. */
export function methodsOf(rows: readonly FrameRow[]): string[] {
  return [...new Set(rows.flatMap(({ frame }) => frame.method ?? []))].toSorted();
}

/** The text of a frame to be read: JSON with its lines broken, anything else as it came. */
export function prettyText(frame: ProtocolFrame): string {
  const value = parsed(frame.text);
  return value === undefined ? frame.text : JSON.stringify(value, null, 2);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
