import type { Service } from './lifecycle.ts';

/** A service that stands on those that are named before it. */
export interface Part extends Service {
  name: string;
}

/**
 * Several services as one: what stands below starts first and stops last. A start that fails stops what has been started,
 * the part that failed included, and rejects with its reason. A stop goes on past a part that fails, because the others
 * still hold something; it is told to `onStopFailed`.
 */
export function partsInOrder(
  parts: readonly Part[],
  onStopFailed: (name: string, error: unknown) => void,
): Service {
  async function stop(started: readonly Part[]): Promise<void> {
    for (const part of started.toReversed()) {
      try {
        await part.stop();
      } catch (error) {
        onStopFailed(part.name, error);
      }
    }
  }
  return {
    async start() {
      const started: Part[] = [];
      try {
        for (const part of parts) {
          started.push(part);
          await part.start();
        }
      } catch (error) {
        await stop(started);
        throw error;
      }
    },
    stop: () => stop(parts),
  };
}
