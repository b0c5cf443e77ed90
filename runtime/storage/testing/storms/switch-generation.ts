import type { Storage } from '../../storage.ts';
import { type Break, now } from './storm-notes.ts';

/** Older ones are dropped, as the product does. */
const KEPT = 2;

/**
 * Makes another generation the active one, as a restore does: an empty one, or a copy of what is there when it begins.
 * Answers the time in which what was acknowledged may have been left behind.
 */
export async function switchGeneration(storage: Storage, random: () => number): Promise<Break> {
  const { generations } = storage;
  const began = now();
  const writer = await generations.create('storm');
  const leavesAll = random() >= 0.5;
  if (!leavesAll) for await (const records of storage.snapshot()) await writer.write(records);
  await writer.seal();
  await generations.activate(writer.id);
  const ended = now();
  const idle = (await generations.list()).filter(({ active }) => !active);
  for (const { id } of idle.slice(0, -KEPT)) await generations.drop(id);
  return { what: 'switched', began, ended, leavesAll };
}
