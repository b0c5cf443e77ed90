import { describe, it } from 'vitest';
import { type ServerKind, serversMissing } from './programs.ts';

/** `describe` for cases that take servers: where these are not installed, one case is skipped with that reason. */
export function describeWithServers(kinds: ServerKind[], name: string, cases: () => void): void {
  const missing = serversMissing(...kinds);
  describe(name, () => {
    if (missing === undefined) cases();
    else it('takes servers', ({ skip }) => skip(missing));
  });
}
