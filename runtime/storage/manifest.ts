import { readFile } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { writeFileDurably } from '../base/durable-file.ts';
import { systemCodeOf } from '../base/errors.ts';
import { fault } from '../contract/error-codes.ts';

const FORMAT = 1;

export interface GenerationRecord {
  id: string;
  createdAt: number;
  reason: string;
  previous?: string;
  activatedAt?: number;
}

/** Which generations are complete, and which of them is the active one. A data file that is not named here is no data. */
export interface Manifest {
  active: string;
  generations: GenerationRecord[];
  /** Generations that were set aside, by their ids. One that somebody puts back is neither data nor an unfinished one. */
  setAside?: string[];
}

/** False of what was never finished, or was dropped: it may be removed. */
export function isToBeKept({ generations, setAside = [] }: Manifest, id: string): boolean {
  return generations.some((generation) => generation.id === id) || setAside.includes(id);
}

/**
 * Reads the pointer file; undefined when there is none. Rejects with `storage.corrupt` when it is damaged, and with
 * `storage.newer_version`.
 */
export async function readManifest(file: string): Promise<Manifest | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  const envelope = parse(text);
  const format = envelope?.format;
  if (typeof format === 'number' && format > FORMAT) {
    throw fault(
      'storage.newer_version',
      `${file} was written by a newer version of SmallTalk Console. Nothing was changed: start the newer version again.`,
      { file, found: format, known: FORMAT },
    );
  }
  const content = envelope?.content;
  if (!isManifest(content) || envelope?.crc32 !== crc32(JSON.stringify(content))) {
    throw fault('storage.corrupt', `${file} is damaged; it was left as it is. Restore a backup.`, { file });
  }
  return content;
}

/** Replaces the pointer file, atomically and durably: this is the moment at which a generation becomes the active one. */
export async function writeManifest(file: string, content: Manifest): Promise<void> {
  const checked = crc32(JSON.stringify(content));
  await writeFileDurably(file, `${JSON.stringify({ format: FORMAT, crc32: checked, content })}\n`);
}

function parse(text: string): { format?: unknown; crc32?: unknown; content?: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** By hand and not by a schema: this runs in the worker, and a schema library would double the time that it takes to start. */
function isManifest(value: unknown): value is Manifest {
  const { active, generations, setAside = [] } = (value ?? {}) as Partial<Manifest>;
  return (
    Array.isArray(generations) &&
    generations.every(isGeneration) &&
    Array.isArray(setAside) &&
    setAside.every((id) => typeof id === 'string') &&
    generations.some(({ id }) => id === active)
  );
}

function isGeneration(value: unknown): boolean {
  const {
    id,
    createdAt,
    reason,
    previous = '',
    activatedAt = 0,
  } = (value ?? {}) as Partial<GenerationRecord>;
  return (
    /^[0-9a-z]{1,64}$/.test(String(id)) &&
    typeof createdAt === 'number' &&
    typeof reason === 'string' &&
    typeof previous === 'string' &&
    typeof activatedAt === 'number'
  );
}
