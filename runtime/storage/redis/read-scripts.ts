import { COMMON, LOGS, RECORDS } from './lua-common.ts';
import type { RedisScript } from './redis-connection.ts';

/** Every one of these answers the active generation first, and nothing else when it is not the expected one (ARGV 1). */
const EXPECTED = `${COMMON}
local active = call('HGET', P .. ':meta', 'active') or ''
if active ~= ARGV[1] then return { active } end
local G = P .. ':' .. active .. ':'
`;

/** ARGV: nothing. Answers the active generation ('' for none), and has it say so itself, should it not. */
export const ACTIVE: RedisScript = {
  lua: `local meta = redis.call('HGET', KEYS[1] .. ':meta', 'active') or ''
if meta == '' then return meta end
local marks = KEYS[1] .. ':' .. meta .. ':l'
if redis.call('HGET', marks, '*') ~= meta then redis.call('HSET', marks, '*', meta) end
return meta`,
};

/** ARGV: generation, collection, most bytes, ids. Answers head and value of each, until the bytes are reached. */
export const GET_MANY: RedisScript = {
  lua: `${EXPECTED}
local answer, size = { active }, 0
for i = 4, #ARGV do
  local head, value = unpack(call('HMGET', G .. 'd:' .. ARGV[2], 'h:' .. ARGV[i], 'v:' .. ARGV[i]))
  if value then size = size + #value end
  if i > 4 and size > tonumber(ARGV[3]) then break end
  answer[#answer + 1] = head
  answer[#answer + 1] = value
end
return answer`,
};

/**
 * ARGV: generation, collection, name of the sorted set, least, most, count, 1 for reverse, most bytes of values (0 for none).
 * Answers of each member itself, head and value; values end where the bytes are reached.
 */
export const WALK: RedisScript = {
  lua: `${EXPECTED}
local key = G .. ARGV[3]
local members
if ARGV[7] == '1' then members = call('ZREVRANGEBYLEX', key, ARGV[5], ARGV[4], 'LIMIT', 0, ARGV[6])
else members = call('ZRANGEBYLEX', key, ARGV[4], ARGV[5], 'LIMIT', 0, ARGV[6]) end
local answer, size, most = { active }, 0, tonumber(ARGV[8])
for _, member in ipairs(members) do
  local id = string.match(member, '%z(.*)$') or member
  answer[#answer + 1] = member
  answer[#answer + 1] = call('HGET', G .. 'd:' .. ARGV[2], 'h:' .. id)
  local value = false
  if size < most then
    value = call('HGET', G .. 'd:' .. ARGV[2], 'v:' .. id)
    if value then size = size + #value end
  end
  answer[#answer + 1] = value
end
return answer`,
};

/** ARGV: generation, then name of a sorted set, least, most of each range. Answers how many members each has. */
export const COUNT: RedisScript = {
  lua: `${EXPECTED}
local answer = { active }
for i = 2, #ARGV, 3 do
  answer[#answer + 1] = call('ZLEXCOUNT', G .. ARGV[i], ARGV[i + 1], ARGV[i + 2])
end
return answer`,
};

/** ARGV: generation, now. Answers the bytes, then name and living documents of each collection. */
export const STATS: RedisScript = {
  lua: `${EXPECTED}
local answer = { active, call('GET', G .. 'z') or '0' }
for _, c in ipairs(call('SMEMBERS', G .. 'c')) do
  answer[#answer + 1] = c
  answer[#answer + 1] = math.floor(call('HLEN', G .. 'd:' .. c) / 2) - call('ZCOUNT', G .. 'e:' .. c, '-inf', ARGV[2])
end
return answer`,
};

const CHANGE = `${COMMON}${RECORDS}
local meta = call('HMGET', P .. ':meta', 'active', 'snapshots')
if meta[1] ~= ARGV[1] then return { meta[1] or '' } end
begin(ARGV[1], meta[2])
`;

/** ARGV: generation, collection, id. Answers head, value and the SHA-1 of both, for a second look at what seemed damaged. */
export const INSPECT_DOCUMENT: RedisScript = {
  lua: `${EXPECTED}
local head, value = unpack(call('HMGET', G .. 'd:' .. ARGV[2], 'h:' .. ARGV[3], 'v:' .. ARGV[3]))
return { active, head, value, redis.sha1hex((head or '') .. '\\n' .. (value or '')) }`,
};

/** ARGV: generation, collection, id, SHA-1 of what was found damaged. Sets it aside if it is still that; answers 1, or 0. */
export const SET_DOCUMENT_ASIDE: RedisScript = {
  lua: `${CHANGE}
local head, value = unpack(call('HMGET', G .. 'd:' .. ARGV[2], 'h:' .. ARGV[3], 'v:' .. ARGV[3]))
if not head or redis.sha1hex(head .. '\\n' .. (value or '')) ~= ARGV[4] then return { ARGV[1], 0 } end
setDocumentAside(ARGV[2], ARGV[3], head)
flush()
return { ARGV[1], 1 }`,
};

/**
 * ARGV: generation, log, its prefix, number, count, 1 for reverse. Answers through which number the log was trimmed, then the
 * first elements with greater numbers, or the last with smaller ones, then the number of the first of these.
 */
export const READ_LOG: RedisScript = {
  lua: `${EXPECTED}
local notices = {}
${LOGS}
local key, from, to = G .. 'm:' .. ARGV[2], nil, nil
if ARGV[6] == '1' then
  to = behind(ARGV[2], ARGV[3], tonumber(ARGV[4]) - 1) - 1
  from = math.max(to - tonumber(ARGV[5]) + 1, 0)
else
  from = behind(ARGV[2], ARGV[3], tonumber(ARGV[4]))
  to = from + tonumber(ARGV[5]) - 1
end
local found = to < from and {} or call('LRANGE', key, from, to)
local number = #found > 0 and numberAt(key, ARGV[3], from) or 0
return { active, call('HGET', G .. 'l', ARGV[2]) or false, found, number }`,
};

/**
 * ARGV: generation, log, its prefix, number. Answers index and number of the first element with a greater number, then it and
 * a few behind it, each with its SHA-1.
 */
export const INSPECT_ENTRIES: RedisScript = {
  lua: `${EXPECTED}
local notices = {}
${LOGS}
local key = G .. 'm:' .. ARGV[2]
local first = behind(ARGV[2], ARGV[3], tonumber(ARGV[4]))
local found = call('LRANGE', key, first, first + 15)
local answer = { active, first, #found > 0 and numberAt(key, ARGV[3], first) or 0 }
for _, element in ipairs(found) do
  answer[#answer + 1] = element
  answer[#answer + 1] = redis.sha1hex(element)
end
return answer`,
};

/** ARGV: generation, log, its prefix, index, number, SHA-1 of the element that was found damaged. */
export const SET_ENTRY_ASIDE: RedisScript = {
  lua: `${CHANGE}
local key = G .. 'm:' .. ARGV[2]
local found = call('LINDEX', key, ARGV[4])
if not found or redis.sha1hex(found) ~= ARGV[6] then return { ARGV[1], 0 } end
call('HSET', P .. ':damaged', 'entry ' .. ARGV[2] .. '#' .. ARGV[5], found)
call('LSET', key, ARGV[4], gone(ARGV[3], tonumber(ARGV[5])))
return { ARGV[1], 1 }`,
};

/** ARGV: generation, log, its prefix. Forgets through which number it was trimmed if that is damaged; answers what was. */
export const MEND_LOG: RedisScript = {
  lua: `${CHANGE}
throughOf(ARGV[2], ARGV[3])
return { ARGV[1], #notices }`,
};

/**
 * ARGV: generation, collection, then name of a sorted set, member and head of what led astray. Removes the member when the
 * document is still as it was when it was found to say otherwise.
 */
export const REMOVE_STRAYS: RedisScript = {
  lua: `${CHANGE}
for i = 3, #ARGV, 3 do
  local id = string.match(ARGV[i + 1], '%z(.*)$') or ARGV[i + 1]
  if (call('HGET', G .. 'd:' .. ARGV[2], 'h:' .. id) or '') == ARGV[i + 2] then call('ZREM', G .. ARGV[i], ARGV[i + 1]) end
end
return { ARGV[1] }`,
};

/** ARGV: generation, collection, cursor. One page of heads: the next cursor, then id and head of each. */
export const SCAN_HEADS: RedisScript = {
  lua: `${EXPECTED}
local page = call('HSCAN', G .. 'd:' .. ARGV[2], ARGV[3], 'MATCH', 'h:*', 'COUNT', 400)
local answer = { active, page[1] }
for i = 1, #page[2], 2 do
  answer[#answer + 1] = string.sub(page[2][i], 3)
  answer[#answer + 1] = page[2][i + 1]
end
return answer`,
};

/** ARGV: generation, collection, then id and sound head of documents. Puts back what their indexes miss; answers whose. */
export const MEND_INDEX: RedisScript = {
  lua: `${CHANGE}
local answer = { ARGV[1] }
for i = 3, #ARGV, 2 do
  local id, head = ARGV[i], call('HGET', G .. 'd:' .. ARGV[2], 'h:' .. ARGV[i])
  if head == ARGV[i + 1] then
    local added = call('ZADD', G .. 'i:' .. ARGV[2], 0, id)
    local fields = string.match(head, '\\n(.*)$')
    for field, value in pairs(membersOf(fields)) do
      added = added + call('ZADD', G .. 'x:' .. ARGV[2] .. ':' .. field, 0, value .. '\\0' .. id)
    end
    local expires = tonumber((string.match(head, '^%x+ %x+ %x+ %d+ (%S+)\\n')))
    if expires then added = added + call('ZADD', G .. 'e:' .. ARGV[2], whole(expires), id) end
    if added > 0 then answer[#answer + 1] = id end
  end
end
return answer`,
};

/** ARGV: generation, now, most. Removes documents that have expired; answers how many it looked at, then what was damaged. */
export const SWEEP: RedisScript = {
  lua: `${CHANGE}
local now, left, seen = tonumber(ARGV[2]), tonumber(ARGV[3]), 0
for _, c in ipairs(call('SMEMBERS', G .. 'c')) do
  if left <= 0 then break end
  for _, id in ipairs(call('ZRANGEBYSCORE', G .. 'e:' .. c, '-inf', ARGV[2], 'LIMIT', 0, left)) do
    seen, left = seen + 1, left - 1
    local text = call('HGET', G .. 'd:' .. c, 'h:' .. id)
    local head = text and parseHead(text)
    if text and not head then setDocumentAside(c, id, text)
    elseif head and head.expires and head.expires <= now then removeDocument(c, id, text, head.fields)
    elseif head and head.expires then call('ZADD', G .. 'e:' .. c, whole(head.expires), id)
    else call('ZREM', G .. 'e:' .. c, id) end
  end
end
flush()
return { ARGV[1], seen, notices }`,
};
