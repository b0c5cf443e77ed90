import type { RedisScript } from './redis-connection.ts';

/**
 * Writes records if everything is as the caller believes. It knows nothing of what is in them: all was worked out beforehand,
 * because Lua takes twenty times as long for it, and holds everybody up meanwhile.
 *
 * ARGV: generation; what is believed of the writer's ring: writer, count, slots, texts; of the documents: count of
 * collections, for each its name, count, ids, heads; of the logs: count, names, counters ('' for nothing, everywhere). Then
 * what is to be written: for each collection ids with heads, ids with values, count of fields, for each its name, count,
 * members that go, scores and members that come; count of entries, for each log, id, record; logs with counters; bytes;
 * count, slots with texts; the time if the writer is to be noted as being there.
 * Answers 1; or 0, having written nothing, when another generation is active, a snapshot is open, or a text is another one.
 */
export const DIRECT: RedisScript = {
  lua: `local P, call, unpack, ARGV = KEYS[1], redis.call, unpack, ARGV
local meta = call('HMGET', P .. ':meta', 'active', 'snapshots')
if meta[1] ~= ARGV[1] or (meta[2] or '') ~= '' then return 0 end
local G, ring = P .. ':' .. ARGV[1] .. ':', P .. ':w:' .. ARGV[2]
local at = 3
local function holds(key)
  local count = ARGV[at] + 0
  local from = at + count
  local found = call('HMGET', key, unpack(ARGV, at + 1, from))
  at = from + count + 1
  for i = 1, count do
    if (found[i] or '') ~= ARGV[from + i] then return false end
  end
  return true
end
local function take(count)
  at = at + count
  return unpack(ARGV, at - count, at - 1)
end
if not holds(ring) then return 0 end
local collections, counts = {}, {}
at = at + 1
for c = 1, ARGV[at - 1] do
  local name = ARGV[at]
  collections[c], counts[c] = name, ARGV[at + 1] + 0
  at = at + 1
  if not holds(G .. 'h:' .. name) then return 0 end
end
local logs = ARGV[at] + 0
if logs == 0 then at = at + 1
elseif not holds(G .. 'l') then return 0 end

for c, name in ipairs(collections) do
  call('HSET', G .. 'h:' .. name, take(2 * counts[c]))
  call('HSET', G .. 'v:' .. name, take(2 * counts[c]))
  at = at + 1
  for _ = 1, ARGV[at - 1] do
    local key, count = G .. 'x:' .. name .. ':' .. ARGV[at], ARGV[at + 1] + 0
    at = at + 2
    call('ZREM', key, take(count))
    call('ZADD', key, take(2 * count))
  end
end
at = at + 1
for _ = 1, ARGV[at - 1] do
  call('XADD', G .. 'm:' .. ARGV[at], ARGV[at + 1], 'r', ARGV[at + 2])
  at = at + 3
end
if logs > 0 then call('HSET', G .. 'l', take(2 * logs)) end
if ARGV[at] ~= '0' then call('INCRBY', G .. 'z', ARGV[at]) end
at = at + 2
call('HSET', ring, take(2 * ARGV[at - 1]))
if ARGV[at] ~= '' then call('ZADD', P .. ':writers', ARGV[at], ARGV[2]) end
return 1`,
};
