import type { Generations, GenerationWriter } from '../storage.ts';

/** Makes a call of the storage, unless it is away. */
type PassOn = <T>(call: () => Promise<T>) => Promise<T>;

/** Generations are the storage's own, and nothing is done with them while it is away. */
export function guardedGenerations(
  generations: Generations,
  passOn: PassOn,
  /** The active data set may be another one. */
  onSwitch: () => void,
): Generations {
  const guarded = (writer: GenerationWriter): GenerationWriter => ({
    id: writer.id,
    write: (records) => passOn(() => writer.write(records)),
    seal: () => passOn(() => writer.seal()),
    discard: () => passOn(() => writer.discard()),
  });
  return {
    list: () => passOn(() => generations.list()),
    create: (reason) => passOn(async () => guarded(await generations.create(reason))),
    activate: (id) =>
      // Also when it failed: a switch whose answer was lost may have taken place.
      passOn(() => generations.activate(id).finally(onSwitch)),
    drop: (id) => passOn(() => generations.drop(id)),
  };
}
