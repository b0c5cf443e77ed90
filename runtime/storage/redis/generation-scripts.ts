import { COMMON, RECORDS } from './lua-common.ts';
import type { RedisScript } from './redis-connection.ts';

/** ARGV: id, record, version of the format. Makes the first generation when there is none; answers the active one and the version of the format. */
export const INITIALISE: RedisScript = {
  lua: `${COMMON}
if not call('HGET', P .. ':meta', 'active') then
  if call('HLEN', P .. ':gens') == 0 then
    call('HSET', P .. ':meta', 'format', ARGV[3], 'active', ARGV[1], 'order', 1)
    call('HSET', P .. ':gens', ARGV[1], ARGV[2])
    call('HSET', P .. ':' .. ARGV[1] .. ':l', '*', ARGV[1])
  end
end
return call('HMGET', P .. ':meta', 'active', 'format')`,
};

/** ARGV: nothing. Answers the active generation, then id and record of all. */
export const LIST_GENERATIONS: RedisScript = {
  lua: `${COMMON}
local answer = { call('HGET', P .. ':meta', 'active') or '' }
for _, text in ipairs(call('HGETALL', P .. ':gens')) do answer[#answer + 1] = text end
return answer`,
};

/** ARGV: id, record, milliseconds of the lease. Answers 1, or 0 when there is another one with this id. */
export const CREATE_GENERATION: RedisScript = {
  lua: `${COMMON}
local there = call('HGET', P .. ':gens', ARGV[1])
if there and there ~= ARGV[2] then return 0 end
call('HSET', P .. ':gens', ARGV[1], ARGV[2])
call('ZADD', P .. ':leases', serverTime() + tonumber(ARGV[3]), 'g:' .. ARGV[1])
return 1`,
};

/** ARGV: milliseconds, then what is leased. Only what still has its lease. */
export const RENEW: RedisScript = {
  lua: `${COMMON}
local till = serverTime() + tonumber(ARGV[1])
for i = 2, #ARGV do call('ZADD', P .. ':leases', 'XX', till, ARGV[i]) end
return 1`,
};

/** Answers what has lost its lease. */
export const LAPSED: RedisScript = {
  lua: `${COMMON}
return call('ZRANGEBYSCORE', P .. ':leases', '-inf', serverTime())`,
};

/**
 * ARGV: generation, number of the page, then `p` collection id json head fields expiry | `l` log | `e` log element. Answers 'ok', 'gone' or the name of a record that is there twice. A page that is there is
 * not written again.
 */
export const BUILD: RedisScript = {
  lua: `${COMMON}${RECORDS}
if not call('ZSCORE', P .. ':leases', 'g:' .. ARGV[1]) then return 'gone' end
begin(ARGV[1], '')
if tonumber(call('GET', G .. 'page') or '0') >= tonumber(ARGV[2]) then return 'ok' end
local at = 3
while at <= #ARGV do
  local kind, name, id = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if kind == 'p' then
    if call('HSETNX', G .. 'd:' .. name, 'h:' .. id, ARGV[at + 4]) == 0 then return 'document ' .. name .. '/' .. id end
    call('HSET', G .. 'd:' .. name, 'v:' .. id, ARGV[at + 3])
    call('ZADD', G .. 'i:' .. name, 0, id)
    call('SADD', G .. 'c', name)
    index(name, id, '', ARGV[at + 5])
    if ARGV[at + 6] ~= '-' then call('ZADD', G .. 'e:' .. name, ARGV[at + 6], id) end
    bytes = bytes + #ARGV[at + 3]
    at = at + 7
  elseif kind == 'l' then
    if call('ZADD', G .. 'n', 0, name) == 0 then return 'log ' .. name end
    at = at + 2
  else
    call('RPUSH', G .. 'm:' .. name, id)
    bytes = bytes + #id - #headerOf(id)
    at = at + 3
  end
end
call('SET', G .. 'page', ARGV[2])
flush()
return 'ok'`,
};

/** ARGV: generation, sealed record. Answers 1, or 0 when it can take nothing more. */
export const SEAL: RedisScript = {
  lua: `${COMMON}
if call('HGET', P .. ':gens', ARGV[1]) == ARGV[2] then return 1 end
if call('ZREM', P .. ':leases', 'g:' .. ARGV[1]) == 0 then return 0 end
call('HSET', P .. ':gens', ARGV[1], ARGV[2])
return 1`,
};

/** ARGV: generation, expected record ('' for whatever it has), record of a dropped one. Answers 1, or 0. */
export const MARK_DROPPED: RedisScript = {
  lua: `${COMMON}
local record = call('HGET', P .. ':gens', ARGV[1])
if not record or call('HGET', P .. ':meta', 'active') == ARGV[1] then return 0 end
if ARGV[2] ~= '' and record ~= ARGV[2] and record ~= ARGV[3] then return 0 end
call('ZREM', P .. ':leases', 'g:' .. ARGV[1])
call('HSET', P .. ':gens', ARGV[1], ARGV[3])
return 1`,
};

/** ARGV: a dropped generation. Removes some of its keys; answers 1 when all are gone, -1 while a snapshot needs them. */
export const DROP_SOME: RedisScript = {
  lua: `${COMMON}
local meta = call('HMGET', P .. ':meta', 'active', 'snapshots')
if meta[1] == ARGV[1] or not call('HGET', P .. ':gens', ARGV[1]) then return 1 end
if #snapshotsOf(ARGV[1], meta[2]) > 0 then return -1 end
local G = P .. ':' .. ARGV[1] .. ':'
local names = call('ZRANGE', G .. 'n', 0, 499)
if #names > 0 then
  for _, name in ipairs(names) do call('UNLINK', G .. 'm:' .. name) end
  call('ZREMRANGEBYRANK', G .. 'n', 0, #names - 1)
  return 0
end
for _, c in ipairs(call('SMEMBERS', G .. 'c')) do
  call('UNLINK', G .. 'd:' .. c, G .. 'i:' .. c, G .. 'e:' .. c)
end
for _, f in ipairs(call('SMEMBERS', G .. 'f')) do call('UNLINK', G .. 'x:' .. f) end
call('UNLINK', G .. 'c', G .. 'f', G .. 'l', G .. 'n', G .. 'z', G .. 'page', G .. 'deferred')
call('HDEL', P .. ':gens', ARGV[1])
return 1`,
};

const RAISE = `
local function raise(name, prefix, last)
  local log = openLog(name, prefix, true)
  if log.absent or last > log.last then
    change(name, log)
    -- Another process may have activated the generation meanwhile, and own it.
    disown()
    log.last = math.max(log.last, last)
    push(name, log, gone(prefix, log.last))
  end
end
`;

/** ARGV: generation, then log, prefix and least last sequence of each. */
export const RAISE_LOGS: RedisScript = {
  lua: `${COMMON}${RECORDS}${RAISE}
begin(ARGV[1], call('HGET', P .. ':meta', 'snapshots'))
for i = 2, #ARGV, 3 do raise(ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])) end
flush()
return 1`,
};

/**
 * ARGV: active generation, the next one, its record and the one that it is to have, the snapshot that has watched the active
 * one since its logs were looked through. Raises the logs that were written meanwhile, and switches. Answers what is active.
 */
export const ACTIVATE: RedisScript = {
  lua: `${COMMON}${RECORDS}${RAISE}
local meta = call('HMGET', P .. ':meta', 'active', 'snapshots')
if meta[1] ~= ARGV[1] then return meta[1] end
if call('HGET', P .. ':gens', ARGV[2]) ~= ARGV[3] then return '' end
local watch = P .. ':s:' .. ARGV[5]
if not string.find(' ' .. (meta[2] or ''), ' ' .. ARGV[5] .. ':', 1, true) then return ARGV[1] end
begin(ARGV[1], '')
local written = {}
for _, name in ipairs(call('HKEYS', watch .. ':l')) do
  local prefix = crc('00000000', 'log\\n' .. name .. '\\n')
  local log = openLog(name, prefix, false)
  if log then written[#written + 1] = { name, prefix, log.last } end
end
logs = {}
begin(ARGV[2], meta[2])
for _, log in ipairs(written) do raise(log[1], log[2], log[3]) end
flush()
call('HSET', P .. ':gens', ARGV[2], ARGV[4])
call('HSET', P .. ':meta', 'active', ARGV[2])
call('HDEL', P .. ':' .. ARGV[1] .. ':l', '*')
call('HSET', P .. ':' .. ARGV[2] .. ':l', '*', ARGV[2])
disown()
return ARGV[2]`,
};
