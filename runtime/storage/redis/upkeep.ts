import { COMMON } from './lua-common.ts';
import { SWEEP } from './read-scripts.ts';
import type { RedisScript } from './redis-connection.ts';
import type { RedisServer } from './redis-server.ts';

/** Documents that one step removes, so that nobody waits for long. */
const STEP = 200;
/** Writers not seen for so long are forgotten, in ms. */
const FORGOTTEN_AFTER_MS = 30 * 24 * 3_600_000;

/** ARGV: time. Forgets writers last seen before it, a few at a time; answers how many. */
const DROP_WRITERS: RedisScript = {
  lua: `${COMMON}
local old = call('ZRANGEBYSCORE', P .. ':writers', '-inf', ARGV[1], 'LIMIT', 0, 100)
for _, writer in ipairs(old) do
  call('UNLINK', P .. ':w:' .. writer)
  call('ZREM', P .. ':writers', writer)
end
if #old > 0 then disown() end
return #old`,
};

export async function dropOldWriters(server: RedisServer, now: number): Promise<void> {
  while (Number(await server.run(DROP_WRITERS, now - FORGOTTEN_AFTER_MS)) > 0);
}

/** Removes what has expired, in steps; answers the records that it found damaged. */
export async function sweepExpired(server: RedisServer, now: number): Promise<string[]> {
  const damaged: string[] = [];
  for (;;) {
    const [seen, found] = (await server.onActive(SWEEP, [now, STEP])) as [number, string[]];
    damaged.push(...found);
    if (seen < STEP) return damaged;
  }
}
