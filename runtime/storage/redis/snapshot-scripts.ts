import { COMMON, LOGS, RECORDS } from './lua-common.ts';
import type { RedisScript } from './redis-connection.ts';

/** ARGV: snapshot, generation ('' for the active one), ms of its lease. Answers its generation ('' for none), collections. */
export const BEGIN_SNAPSHOT: RedisScript = {
  lua: `${COMMON}
local meta = call('HMGET', P .. ':meta', 'active', 'snapshots')
local gid = ARGV[2] == '' and meta[1] or ARGV[2]
if not gid or call('HEXISTS', P .. ':gens', gid) == 0 then return { '' } end
local open = meta[2] or ''
local entry = ARGV[1] .. ':' .. gid
if not string.find(' ' .. open .. ' ', ' ' .. entry .. ' ', 1, true) then
  call('HSET', P .. ':meta', 'snapshots', open == '' and entry or open .. ' ' .. entry)
end
call('ZADD', P .. ':leases', serverTime() + tonumber(ARGV[3]), 's:' .. ARGV[1])
disown()
local answer = { gid }
for _, c in ipairs(call('SMEMBERS', P .. ':' .. gid .. ':c')) do answer[#answer + 1] = c end
return answer`,
};

/**
 * A long text is answered as a list of pieces. What the client receives in several chunks it gathers in a buffer that grows
 * with each such text and lives as long as any of them: for pieces it stays small.
 */
const PIECE_BYTES = 8 * 1024;

const OPEN = `${COMMON}
local function pieces(text)
  if not text or #text <= ${PIECE_BYTES} then return text end
  local found = {}
  for from = 1, #text, ${PIECE_BYTES} do
    found[#found + 1] = string.sub(text, from, from + ${PIECE_BYTES} - 1)
  end
  return found
end
if not call('ZSCORE', P .. ':leases', 's:' .. ARGV[1]) then return { 'gone' } end
local G, S = P .. ':' .. ARGV[2] .. ':', P .. ':s:' .. ARGV[1]
`;

/** ARGV: snapshot, generation, collection, id to begin behind, count. Ids that are there, and those that were removed. */
export const SNAPSHOT_IDS: RedisScript = {
  lua: `${OPEN}
local after, c = ARGV[4], ARGV[3]
local from = after == '' and '-' or '(' .. after
local present = call('ZRANGEBYLEX', G .. 'i:' .. c, from, '+', 'LIMIT', 0, ARGV[5])
local removed = call('ZRANGEBYLEX', S .. ':i', '(' .. c .. '\\0' .. after, '(' .. c .. '\\1', 'LIMIT', 0, ARGV[5])
return { 'ok', present, removed }`,
};

/** ARGV: snapshot, generation, collection, most bytes, ids. Head and value of each as they were, until the bytes are reached. */
export const SNAPSHOT_DOCUMENTS: RedisScript = {
  lua: `${OPEN}
local answer, size = { 'ok' }, 0
for i = 5, #ARGV do
  local name = ARGV[3] .. '\\0' .. ARGV[i]
  local head, value = call('HGET', S .. ':h', name), nil
  if head then value = call('HGET', S .. ':v', name)
  else head, value = unpack(call('HMGET', G .. 'd:' .. ARGV[3], 'h:' .. ARGV[i], 'v:' .. ARGV[i])) end
  if value then size = size + #value end
  if i > 5 and size > tonumber(ARGV[4]) then break end
  answer[#answer + 1] = head
  answer[#answer + 1] = pieces(value)
end
return answer`,
};

/**
 * ARGV: snapshot, generation, log to begin behind, count. Names, counters ('-' for one that was not there) and whether what
 * was trimmed is damaged (1) of logs.
 */
export const SNAPSHOT_LOGS: RedisScript = {
  lua: `${OPEN}
local notices = {}
${LOGS}
local answer = { 'ok' }
local from = ARGV[3] == '' and '-' or '(' .. ARGV[3]
for _, name in ipairs(call('ZRANGEBYLEX', G .. 'n', from, '+', 'LIMIT', 0, ARGV[4])) do
  local counter, damaged = call('HGET', S .. ':l', name), #notices
  if not counter then
    local prefix = crc('00000000', 'log\\n' .. name .. '\\n')
    local numbers = whole(lastOf(name, prefix) or 0) .. ' ' .. whole(throughOf(name, prefix))
    counter = crc(prefix, numbers) .. ' ' .. numbers
  end
  answer[#answer + 1] = name
  answer[#answer + 1] = counter
  answer[#answer + 1] = #notices - damaged
end
return answer`,
};

/**
 * ARGV: snapshot, generation, log, its prefix, number, index ('' for that of the first element with a greater number), most
 * elements, most bytes. Index and number of the first element, and elements. While the snapshot is open they stay where they are.
 */
export const SNAPSHOT_ENTRIES: RedisScript = {
  lua: `${OPEN}
local notices = {}
${LOGS}
local first = tonumber(ARGV[6]) or behind(ARGV[3], ARGV[4], tonumber(ARGV[5]))
local key = G .. 'm:' .. ARGV[3]
local answer, size, from, count = { 'ok', first, 0 }, 0, first, 1
local left, most = tonumber(ARGV[7]), tonumber(ARGV[8])
while left > 0 do
  local page = call('LRANGE', key, from, from + count - 1)
  if from == first and page[1] then
    answer[3] = numberOf(page[1], ARGV[4]) or numberAt(key, ARGV[4], first)
  end
  for _, element in ipairs(page) do
    answer[#answer + 1] = pieces(element)
    size = size + #element
    if size >= most then return answer end
  end
  if #page < count then break end
  from, left = from + count, left - count
  -- As many as there is room for if they are like those before; they may be much longer.
  count = math.min(left, 8 * count, math.max(1, math.ceil((most - size) * (#answer - 3) / size)))
end
return answer`,
};

/** ARGV: snapshot. Frees what was kept for it, and trims what waited for it; answers how many logs still wait. */
export const END_SNAPSHOT: RedisScript = {
  lua: `${COMMON}${RECORDS}
local open, gid, others = call('HGET', P .. ':meta', 'snapshots') or '', nil, {}
for sid, of in string.gmatch(open, '(%S+):(%S+)') do
  if sid == ARGV[1] then gid = of else others[#others + 1] = sid .. ':' .. of end
end
local S = P .. ':s:' .. ARGV[1]
if gid then
  call('HSET', P .. ':meta', 'snapshots', table.concat(others, ' '), 'trimming', gid)
  call('UNLINK', S .. ':h', S .. ':v', S .. ':i', S .. ':l')
end
call('ZREM', P .. ':leases', 's:' .. ARGV[1])
gid = gid or call('HGET', P .. ':meta', 'trimming')
if not gid then return 0 end
begin(gid, table.concat(others, ' '))
if #snaps > 0 then return 0 end
for _, name in ipairs(call('SPOP', G .. 'deferred', 50)) do
  local log = openLog(name, crc('00000000', 'log\\n' .. name .. '\\n'), false)
  if log then trimNow(name, log, throughOf(name, log.prefix)) end
end
flush()
return call('SCARD', G .. 'deferred')`,
};
