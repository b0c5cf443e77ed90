import { COMMON, RECORDS } from './lua-common.ts';
import type { RedisScript } from './redis-connection.ts';

/**
 * Carries out a group of commits, each all or nothing: checked as a whole before its first write.
 *
 * ARGV: expected generation, text of the owner that the caller becomes, now, greatest sequence, number of commits; for each its
 * writer, prefix of what is remembered of it, number and count of operations; for each of these
 * `p` collection id json prefix value-crc fields expected expiry | `d` collection id expected |
 * `a` log log-prefix entry-prefix value-crc json | `t` log log-prefix through.
 * Answers the active generation; and when it is the expected one, for each commit `k <numbers>`, `r <numbers>` (it was carried out
 * before), `c <operation> <current>`, `f <log>` (its numbers are used up), `d` (what was remembered of it is damaged) or `o` (it
 * is older than what is remembered, and may have been carried out: one that arrives late, over a connection that was given
 * up); then what was found damaged; then name and last number of each log that it wrote to; then the text of the owner
 * before ('' for none), and whether the caller is it now: nobody is while a snapshot is open.
 */
export const COMMIT: RedisScript = {
  lua: `${COMMON}${RECORDS}
local meta = call('HMGET', P .. ':meta', 'active', 'snapshots')
if meta[1] ~= ARGV[1] then return { meta[1] or '' } end
begin(ARGV[1], meta[2])
local now, greatest = tonumber(ARGV[3]), tonumber(ARGV[4])
local WIDTH = { p = 9, d = 4, a = 6, t = 4 }
local former, heads = call('GET', P .. ':owner') or '', {}

local function headOf(c, id)
  local name = c .. '\\0' .. id
  local known = heads[name]
  if known ~= nil then return known, name end
  local text = call('HGET', G .. 'd:' .. c, 'h:' .. id)
  local head = false
  if text then
    head = parseHead(text) or false
    if head then head.text = text else setDocumentAside(c, id, text) end
  end
  heads[name] = head
  return head, name
end
local function versionOf(head)
  if not head or (head.expires and head.expires <= now) then return 0 end
  return head.version
end

local function check(at, count)
  local versions, appends = {}, {}
  for i = 0, count - 1 do
    local kind = ARGV[at]
    if kind == 'p' or kind == 'd' then
      local head, name = headOf(ARGV[at + 1], ARGV[at + 2])
      local current = versions[name] or versionOf(head)
      local expected = kind == 'p' and ARGV[at + 7] or ARGV[at + 3]
      if expected ~= '' and tonumber(expected) ~= current then return 'c ' .. i .. ' ' .. whole(current) end
      local expires = kind == 'p' and tonumber(ARGV[at + 8])
      versions[name] = (kind == 'p' and not (expires and expires <= now)) and current + 1 or 0
    elseif kind == 'a' then
      local name = ARGV[at + 1]
      local log = openLog(name, ARGV[at + 2], true)
      appends[name] = (appends[name] or 0) + 1
      if log.last + appends[name] > greatest then return 'f ' .. name end
    end
    at = at + WIDTH[kind]
  end
end

local function put(at)
  local c, id, json, prefix, value, fields = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5], ARGV[at + 6]
  local expiry = ARGV[at + 8]
  local head, name = headOf(c, id)
  local version = versionOf(head) + 1
  local tail = whole(version) .. ' ' .. expiry
  local text = crc(prefix, tail) .. ' ' .. prefix .. ' ' .. value .. ' ' .. tail .. '\\n' .. fields
  keepDocument(c, id, head and head.text, false)
  bytes = bytes + #json
  if head then
    bytes = bytes - call('HSTRLEN', G .. 'd:' .. c, 'v:' .. id)
  else
    call('ZADD', G .. 'i:' .. c, 0, id)
    call('SADD', G .. 'c', c)
  end
  call('HSET', G .. 'd:' .. c, 'h:' .. id, text, 'v:' .. id, json)
  index(c, id, head and head.fields or '', fields)
  local expires = tonumber(expiry)
  if expires then call('ZADD', G .. 'e:' .. c, expiry, id)
  elseif head and head.expires then call('ZREM', G .. 'e:' .. c, id) end
  heads[name] = { version = version, expires = expires, fields = fields, text = text }
  return version
end
local function append(at)
  local name, prefix, value, json = ARGV[at + 1], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5]
  local log = openLog(name, ARGV[at + 2], true)
  change(name, log)
  log.last = log.last + 1
  bytes = bytes + #json
  local sequence = whole(log.last)
  push(name, log, sequence .. ' ' .. ARGV[3] .. ' ' .. crc(prefix, sequence) .. ' ' .. value .. ' ' .. json)
  return log.last
end
local function trim(at)
  local name, prefix = ARGV[at + 1], ARGV[at + 2]
  local log = openLog(name, prefix, false)
  if not log then return end
  local through = math.min(tonumber(ARGV[at + 3]), log.last)
  if through <= throughOf(name, prefix) then return end
  change(name, log)
  call('HSET', G .. 'l', name, crc(prefix, whole(through)) .. ' ' .. whole(through))
  if #snaps == 0 then trimNow(name, log, through) else call('SADD', G .. 'deferred', name) end
end
local function carryOut(at, count)
  local numbers = {}
  for i = 1, count do
    local kind, number = ARGV[at], 0
    if kind == 'p' then number = put(at)
    elseif kind == 'a' then number = append(at)
    elseif kind == 't' then trim(at)
    else
      local head, name = headOf(ARGV[at + 1], ARGV[at + 2])
      if head then removeDocument(ARGV[at + 1], ARGV[at + 2], head.text, head.fields) end
      heads[name] = false
    end
    numbers[i] = whole(number)
    at = at + WIDTH[kind]
  end
  return table.concat(numbers, ',')
end

local at, answers = 6, {}
for commit = 1, tonumber(ARGV[5]) do
  local writer, prefix, number, count = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  at = at + 4
  local ring, slot = P .. ':w:' .. writer, whole(tonumber(number) % 1024)
  local before = call('HGET', ring, slot)
  local whose, sum, remembered
  if before then whose, sum, remembered = string.match(before, '^(%d+) (%x+) (.*)$') end
  local answer
  if before and not (whose and sum == crc(prefix, whose .. ' ' .. remembered)) then
    answer = 'd'
    -- When it is sent again, it is still not known; only a later one may have the place.
    call('HSET', ring, slot, number .. ' ' .. crc(prefix, number .. ' lost') .. ' lost')
  elseif whose == number and remembered == 'lost' then
    answer = 'd'
  elseif whose == number then
    answer = 'r ' .. remembered
  elseif whose and tonumber(whose) > tonumber(number) then
    answer = 'o'
  else
    answer = check(at, count)
    if not answer then
      local numbers = carryOut(at, count)
      answer = 'k ' .. numbers
      local added = call('HSET', ring, slot, number .. ' ' .. crc(prefix, number .. ' ' .. numbers) .. ' ' .. numbers)
      if added == 1 or slot == '0' then call('ZADD', P .. ':writers', ARGV[3], writer) end
    end
  end
  answers[commit] = answer
  for _ = 1, count do at = at + WIDTH[ARGV[at]] end
end
flush()
local lasts = {}
for name, log in pairs(logs) do
  if log.changed then
    lasts[#lasts + 1] = name
    lasts[#lasts + 1] = whole(log.last)
  end
end
local owns = #snaps == 0
if owns then call('SET', P .. ':owner', ARGV[2]) else disown() end
return { ARGV[1], answers, notices, lasts, former, owns and '1' or '' }
`,
};
