/**
 * What the scripts have in common. `KEYS[1]` is `{namespace}`, the hash tag under which all keys lie, so that each script
 * touches one slot of a cluster; the other keys are named from it:
 *
 * `:meta` format, active generation, open snapshots · `:gens` generations · `:leases` of builders and snapshots, by the
 * server's clock · `:owner` who may write directly, see `direct-script.ts` · `:w:<writer>` the last 1,024 answers of a writer ·
 * `:writers` when they were last seen · `:damaged` what was set aside · `:s:<snapshot>:…` what an open snapshot still needs.
 * Of a generation, `:<id>:` and `d:<collection>` heads (`h:<id>`) and values (`v:<id>`), `i:` ids in order, `e:` expiries,
 * `x:<collection>:<field>` index, `m:<log>` elements, `n` names of the logs in order, `l` through which number each was trimmed
 * (and, as `*`, the generation itself while it is active), `c` collections, `f` indexed fields, `z` bytes, `deferred` logs to be
 * trimmed when no snapshot needs the entries.
 *
 * `crc` goes on with a CRC-32 over what only the server knows (a version, a sequence); the client has summed the rest.
 */
export const COMMON = `
local P = KEYS[1]
local call = redis.call
local bxor, byte = bit.bxor, string.byte
local NIBBLES = { [0] = 0, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
  0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c }
local function crc(hex, text)
  -- Arithmetic where it will do: each call of a bit operation costs as much as ten of these.
  local c = 4294967295 - (tonumber(hex, 16) or 0)
  for i = 1, #text do
    c = bxor(c, byte(text, i)) % 4294967296
    local low = c % 16
    c = bxor((c - low) / 16, NIBBLES[low]) % 4294967296
    low = c % 16
    c = bxor((c - low) / 16, NIBBLES[low]) % 4294967296
  end
  return bit.tohex(4294967295 - c)
end
local function whole(n) return string.format('%.0f', n) end
local function serverTime()
  local t = call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local function snapshotsOf(gid, open)
  local found = {}
  for sid, of in string.gmatch(open or '', '(%S+):(%S+)') do
    if of == gid then found[#found + 1] = P .. ':s:' .. sid end
  end
  return found
end
-- What its owner believes to be there is not so any more.
local function disown() call('DEL', P .. ':owner') end
`;

/**
 * The elements of a log lie in a list, in the order of their numbers: `<sequence> <at> <sum> <value-crc> <json>`, or
 * `<sequence> - <sum> - ` for one that is gone. The sum covers the log and the other three. Numbers may be left out; that of
 * the last element is the last of the log, so the last element is never taken out without another one in its place.
 * Needs `G`, `COMMON`, and a table `notices`.
 */
export const LOGS = `
local function headerOf(element) return string.match(element, '^%d+ %S+ %x+ %S+ ') or '' end
local function numberOf(element, prefix)
  local sequence, at, sum, value = string.match(element, '^(%d+) (%S+) (%x+) (%S+) ')
  if sequence and crc(prefix, at .. '\\n' .. value .. '\\n' .. sequence) == sum then return tonumber(sequence) end
end
local function gone(prefix, sequence)
  return whole(sequence) .. ' - ' .. crc(prefix, '-\\n-\\n' .. whole(sequence)) .. ' - '
end
local function throughOf(name, prefix)
  local record = call('HGET', G .. 'l', name)
  if not record then return 0 end
  local sum, through = string.match(record, '^(%x+) (%d+)$')
  if sum and crc(prefix, through) == sum then return tonumber(through) end
  call('HDEL', G .. 'l', name)
  notices[#notices + 1] = 'log ' .. name
  return 0
end
-- The number of the last element; nil when there is none. Damaged ones behind the last sound one are counted.
local function lastOf(name, prefix)
  local damaged = 0
  while true do
    local element = call('LINDEX', G .. 'm:' .. name, -1 - damaged)
    if not element then break end
    local number = numberOf(element, prefix)
    if number then return number + damaged end
    damaged = damaged + 1
  end
  if damaged > 0 then return throughOf(name, prefix) + damaged end
end
-- The number of the element at an index; one that does not say its own has that which its neighbours leave to it.
local function numberAt(key, prefix, at)
  for before = at, 0, -1 do
    local number = numberOf(call('LINDEX', key, before), prefix)
    if number then return number + at - before end
  end
  for next = at + 1, call('LLEN', key) - 1 do
    local number = numberOf(call('LINDEX', key, next), prefix)
    if number then return number - (next - at) end
  end
  return at + 1
end
-- Index of the first element whose number is greater.
local function behind(name, prefix, after)
  local key = G .. 'm:' .. name
  local low, high = 0, call('LLEN', key)
  -- When no number is left out, it stands as far from the end as it is behind the last; and the one before it is not behind.
  local guess, guesses = high - math.max((lastOf(name, prefix) or 0) - after, 0), 2
  while low < high do
    local middle = guesses > 0 and math.min(math.max(guess, low), high - 1) or math.floor((low + high) / 2)
    if numberAt(key, prefix, middle) <= after then low, guess = middle + 1, middle + 1
    else high, guess = middle, middle - 1 end
    guesses = guesses - 1
  end
  return low
end
`;

/** Documents and logs of one generation `G`, with the open snapshots `snaps` that must not miss what is changed. */
export const RECORDS = `
local G, snaps, bytes, notices, logs = nil, {}, 0, {}, {}
${LOGS}
local function begin(gid, open)
  G = P .. ':' .. gid .. ':'
  snaps = snapshotsOf(gid, open)
end
local function keepDocument(c, id, head, gone)
  local name = c .. '\\0' .. id
  for _, s in ipairs(snaps) do
    if call('HEXISTS', s .. ':h', name) == 0 then
      call('HSET', s .. ':h', name, head or '')
      if head then call('HSET', s .. ':v', name, call('HGET', G .. 'd:' .. c, 'v:' .. id) or '') end
    end
    if gone then call('ZADD', s .. ':i', 0, name) end
  end
end
local function membersOf(fields)
  local members = {}
  for field, value in string.gmatch(fields, '(%Z+)%z(%Z*)%z') do members[field] = value end
  return members
end
local function parseHead(head)
  local sum, prefix, value, version, expires, fields = string.match(head, '^(%x+) (%x+) (%x+) (%d+) (%S+)\\n(.*)$')
  if sum and crc(prefix, version .. ' ' .. expires) == sum then
    return { version = tonumber(version), expires = tonumber(expires), fields = fields }
  end
end
local function index(c, id, old, new)
  if old == new then return end
  local before, after = membersOf(old), membersOf(new)
  for field, value in pairs(before) do
    if after[field] ~= value then call('ZREM', G .. 'x:' .. c .. ':' .. field, value .. '\\0' .. id) end
  end
  for field, value in pairs(after) do
    if before[field] ~= value then
      call('ZADD', G .. 'x:' .. c .. ':' .. field, 0, value .. '\\0' .. id)
      if not before[field] then call('SADD', G .. 'f', c .. ':' .. field) end
    end
  end
end
local function removeDocument(c, id, head, fields)
  disown()
  keepDocument(c, id, head, true)
  index(c, id, fields, '')
  bytes = bytes - call('HSTRLEN', G .. 'd:' .. c, 'v:' .. id)
  call('HDEL', G .. 'd:' .. c, 'h:' .. id, 'v:' .. id)
  call('ZREM', G .. 'i:' .. c, id)
  call('ZREM', G .. 'e:' .. c, id)
end
local function setDocumentAside(c, id, head)
  local name = 'document ' .. c .. '/' .. id
  call('HSET', P .. ':damaged', name, head .. '\\n' .. (call('HGET', G .. 'd:' .. c, 'v:' .. id) or ''))
  local kept = snaps
  snaps = {}
  removeDocument(c, id, head, string.match(head, '\\n(.*)$') or '')
  snaps = kept
  for _, s in ipairs(snaps) do call('HSETNX', s .. ':h', c .. '\\0' .. id, '') end
  notices[#notices + 1] = name
end
-- With make, one that is not there is made when something is appended to it.
local function openLog(name, prefix, make)
  local log = logs[name]
  if log then return log end
  local last = lastOf(name, prefix)
  if not last and not make then return nil end
  log = { prefix = prefix, last = last or throughOf(name, prefix), absent = not last }
  logs[name] = log
  return log
end
local function counterOf(prefix, last, through)
  local numbers = whole(last) .. ' ' .. whole(through)
  return crc(prefix, numbers) .. ' ' .. numbers
end
-- Before a log is changed for the first time.
local function change(name, log)
  if log.changed then return end
  log.changed = true
  if #snaps == 0 then return end
  local record = log.absent and '-' or counterOf(log.prefix, log.last, throughOf(name, log.prefix))
  for _, s in ipairs(snaps) do call('HSETNX', s .. ':l', name, record) end
end
local function push(name, log, element)
  call('RPUSH', G .. 'm:' .. name, element)
  if log.absent then
    log.absent = false
    call('ZADD', G .. 'n', 0, name)
  end
end
local function trimNow(name, log, through)
  local key = G .. 'm:' .. name
  local count = behind(name, log.prefix, through)
  if count == 0 then return end
  -- How many bytes that frees is told by some of them, so that a long log holds nobody up.
  local seen, size = 0, 0
  while seen < math.min(count, 100) and size < 1048576 do
    local element = call('LINDEX', key, seen)
    size = size + #element - #headerOf(element)
    seen = seen + 1
  end
  bytes = bytes - math.floor(size * count / seen)
  local left = call('LLEN', key) - count
  if left == 0 then call('RPUSH', key, gone(log.prefix, log.last)) end
  call('LTRIM', key, count, -1)
end
local function flush()
  if bytes ~= 0 then call('INCRBY', G .. 'z', whole(bytes)) end
end
`;
