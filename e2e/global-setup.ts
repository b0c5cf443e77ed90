import { ensureBuilt } from '../scripts/build.ts';

/** The console that the tests look at is the one of today's sources; a quick look when it is already. */
export default async function globalSetup(): Promise<void> {
  await ensureBuilt(['renderer']);
}
