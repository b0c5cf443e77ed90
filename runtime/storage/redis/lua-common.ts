/**
 * What the scripts have in common. `KEYS[1]` is `{namespace}`, the hash tag under which all keys lie, so that each script
 * touches one slot of a cluster; the other keys are named from it:
 *
 * `:meta` active generation, open snapshots · `:gens` generations · `:leases` of builders and snapshots, by the server's
 * clock · `:w:<writer>` the last 1,024 answers of a writer · `:writers` when they were last seen · `:damaged` what was set
 * aside · `:s:<snapshot>:…` what an open snapshot still needs.
 * Of a generation, `:<id>:` and `h:<collection>` heads, `v:` values, `i:` ids in order, `e:` expiries,
 * `x:<collection>:<field>` index, `l` counters of the logs, `n` their names in order, `m:<log>` entries, `c` collections,
 * `f` indexed fields, `z` bytes, `deferred` logs to be trimmed when no snapshot needs the entries.
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
`;

/** Documents and logs of one generation `G`, with the open snapshots `snaps` that must not miss what is changed. */
export const RECORDS = `
local G, snaps, bytes, notices, logs = nil, {}, 0, {}, {}
local function begin(gid, open)
  G = P .. ':' .. gid .. ':'
  snaps = snapshotsOf(gid, open)
end
local function keepDocument(c, id, head, gone)
  local name = c .. '\\0' .. id
  for _, s in ipairs(snaps) do
    if call('HEXISTS', s .. ':h', name) == 0 then
      call('HSET', s .. ':h', name, head or '')
      if head then call('HSET', s .. ':v', name, call('HGET', G .. 'v:' .. c, id) or '') end
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
  keepDocument(c, id, head, true)
  index(c, id, fields, '')
  bytes = bytes - call('HSTRLEN', G .. 'v:' .. c, id)
  call('HDEL', G .. 'h:' .. c, id)
  call('HDEL', G .. 'v:' .. c, id)
  call('ZREM', G .. 'i:' .. c, id)
  call('ZREM', G .. 'e:' .. c, id)
end
local function setDocumentAside(c, id, head)
  local name = 'document ' .. c .. '/' .. id
  call('HSET', P .. ':damaged', name, head .. '\\n' .. (call('HGET', G .. 'v:' .. c, id) or ''))
  local kept = snaps
  snaps = {}
  removeDocument(c, id, head, string.match(head, '\\n(.*)$') or '')
  snaps = kept
  for _, s in ipairs(snaps) do call('HSETNX', s .. ':h', c .. '\\0' .. id, '') end
  notices[#notices + 1] = name
end
local function lastOfStream(log)
  local info = redis.pcall('XINFO', 'STREAM', G .. 'm:' .. log)
  if info.err then return 0 end
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return tonumber(string.match(info[i + 1], '^%d+')) end
  end
  return 0
end
local function openLog(name, prefix, make)
  local log = logs[name]
  if log then return log end
  local record = call('HGET', G .. 'l', name)
  if not record then
    local last = lastOfStream(name)
    if last == 0 and not make then return nil end
    log = { last = last, through = 0, bytes = 0, prefix = prefix, record = '-' }
    if last > 0 then notices[#notices + 1] = 'log ' .. name end
  else
    local sum, last, through, size = string.match(record, '^(%x+) (%d+) (%d+) (%d+)$')
    if sum and crc(prefix, last .. ' ' .. through) == sum then
      log = { last = tonumber(last), through = tonumber(through), bytes = tonumber(size) }
    else
      local stored, known = tonumber(last) or 0, lastOfStream(name)
      if known == 0 and stored <= 137438953471 then known = stored end
      log = { last = known, through = 0, bytes = 0, changed = true }
      notices[#notices + 1] = 'log ' .. name
    end
    log.prefix, log.record = prefix, record
  end
  logs[name] = log
  return log
end
local function change(name, log)
  log.changed = true
  for _, s in ipairs(snaps) do call('HSETNX', s .. ':l', name, log.record) end
end
local function trimNow(name, log)
  local key = G .. 'm:' .. name
  local length = call('XLEN', key)
  if length == 0 then return end
  local removed = call('XTRIM', key, 'MINID', whole(log.through + 1))
  local left = math.floor(log.bytes * (length - removed) / length)
  bytes = bytes - (log.bytes - left)
  log.bytes = left
end
local function flush()
  for name, log in pairs(logs) do
    if log.changed then
      local numbers = whole(log.last) .. ' ' .. whole(log.through)
      if log.record == '-' then call('ZADD', G .. 'n', 0, name) end
      log.record = crc(log.prefix, numbers) .. ' ' .. numbers .. ' ' .. whole(log.bytes)
      call('HSET', G .. 'l', name, log.record)
    end
  end
  if bytes ~= 0 then call('INCRBY', G .. 'z', whole(bytes)) end
end
`;
