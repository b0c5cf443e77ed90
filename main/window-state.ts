/** Where the window was, remembered across starts. Imports nothing of Electron. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Sizes and places in device-independent pixels. */
export interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface WindowState {
  /** The place when it is neither maximized nor full-screen; without x and y the system chooses one. */
  width: number;
  height: number;
  x?: number;
  y?: number;
  maximized: boolean;
}

export const MINIMUM_SIZE = { width: 800, height: 560 };
const DEFAULT_STATE: WindowState = { width: 1440, height: 900, maximized: false };
/** So much of the title bar must be on a display, or the window could not be dragged back. */
const GRIP = { width: 120, height: 32 };

/**
 * The remembered state, made to fit today's displays: a place on a monitor that is gone is forgotten, a size is kept
 * within the largest display. A missing or damaged file gives the default; that is never an error.
 */
export function readWindowState(file: string, workAreas: Rectangle[]): WindowState {
  const saved = parse(file) ?? DEFAULT_STATE;
  const widest = Math.max(MINIMUM_SIZE.width, ...workAreas.map((area) => area.width));
  const highest = Math.max(MINIMUM_SIZE.height, ...workAreas.map((area) => area.height));
  const size = {
    width: Math.min(Math.max(saved.width, MINIMUM_SIZE.width), widest),
    height: Math.min(Math.max(saved.height, MINIMUM_SIZE.height), highest),
  };
  const { x, y, maximized } = saved;
  const place =
    x !== undefined && y !== undefined && workAreas.some((area) => gripIsOn(area, { x, y, ...size }))
      ? { x, y }
      : {};
  return { ...size, ...place, maximized };
}

/**
 * Remembers the state: a temporary file, then a rename, so that a crash leaves the old one or the new one. Synchronous,
 * because a window that closes does not wait. Throws what the file system throws.
 */
export function writeWindowState(file: string, state: WindowState): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, `${JSON.stringify(state)}\n`, { mode: 0o600 });
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function parse(file: string): WindowState | undefined {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { width, height, x, y, maximized } = value as Record<string, unknown>;
  if (!isPixels(width) || !isPixels(height)) return undefined;
  const place = isPixels(x) && isPixels(y) ? { x, y } : {};
  return { width, height, ...place, maximized: maximized === true };
}

function isPixels(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && Math.abs(value) < 100_000;
}

function gripIsOn(area: Rectangle, window: Rectangle): boolean {
  const overlapX = Math.min(window.x + window.width, area.x + area.width) - Math.max(window.x, area.x);
  const topInside = window.y >= area.y && window.y + GRIP.height <= area.y + area.height;
  return overlapX >= GRIP.width && topInside;
}
