import type { RedisScript } from './redis-connection.ts';

/**
 * Carries out commands if nothing was changed since the caller last heard of it. The key `:owner` says who that is: the text of
 * whoever wrote last, which is another one after each group, so that a group is not carried out either when the one before
 * it was not. Everything that changes what an owner believes to be there takes the key away from it. All is worked out
 * beforehand, because Lua takes twenty times as long for it, and holds everybody up meanwhile.
 *
 * KEYS: the owner. ARGV: its text as it must be, and as it is to be; then of each command the count of its words, and these.
 * Answers 1; or 0, having written nothing.
 */
export const DIRECT: RedisScript = {
  lua: `local call, unpack, ARGV = redis.call, unpack, ARGV
local before = call('SET', KEYS[1], ARGV[2], 'GET')
if before ~= ARGV[1] then
  if before then call('SET', KEYS[1], before) else call('DEL', KEYS[1]) end
  return 0
end
local at, last = 3, #ARGV
while at < last do
  local to = at + ARGV[at]
  call(unpack(ARGV, at + 1, to))
  at = to + 1
end
return 1`,
};
