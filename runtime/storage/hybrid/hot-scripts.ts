/**
 * The Lua of the hot copies. Each script is one round trip and one atomic step on the Redis server.
 *
 * An *object* is a document (`d:<collection>/<id>`) or a log (`l:<log>`). The keys, all behind the prefix:
 * - `epoch` names the copies that may be believed. It is in the key of every shared copy, so that a new epoch forgets all of
 *   them at once; where the server is a cluster it also names the node, because a replica that took over may lack the last
 *   writes;
 * - `c:<epoch>:<object>` the shared copy: a string for a document, a list for a log: first `<from> <first>`, the sequence from
 *   which on the log is complete and that of the first entry in the list (0 while there is none), then the entries without a
 *   gap between them. A list and not a stream, because its place tells the sequence and one entry is one string;
 * - `members` the instances;
 * - `l:<instance>` the lease of an instance, which says its own length in ms, and `i:<instance>` its claims, which lapse
 *   together; one without the other is nothing. The claims are a hash: object → number of the claim, with a minus before it when
 *   somebody else wrote the object, too;
 * - `m:<instance>.<number>` the copy while it is claimed: only the claimant reads and writes it;
 * - `w:<instance>` the objects whose claims others would like it to give up;
 * - `r:<object>` the lease of the reader that is fetching it from the cold side;
 * - `missing` is there for a while after an instance was taken for dead;
 * - `closing` the instances that are switching the generation: while one of them lives there is no epoch.
 *
 * While any living instance claims an object there is no shared copy of it in the current epoch, and none can be made.
 */

/** A script; its only key is that of the epoch, the rest shares its hash tag. */
export interface HotScript {
  name: string;
  lua: string;
}

/** What every script is given: prefix, 1 for a cluster, the name of this instance. */
const PRELUDE = `
local prefix, me = ARGV[1], ARGV[3]
local node = ARGV[2] == '1' and redis.call('CLUSTER', 'MYID') or ''
local function epoch_now()
  local epoch = redis.call('GET', KEYS[1])
  if not epoch then return '' end
  if node ~= '' and string.sub(epoch, 1, #node) ~= node then return '' end
  return epoch
end
local function key(kind, name) return prefix .. kind .. ':' .. name end
local function copy_key(epoch, object) return prefix .. 'c:' .. epoch .. ':' .. object end
local members, closing, missing = prefix .. 'members', prefix .. 'closing', prefix .. 'missing'
local lease, claims = key('l', me), key('i', me)
local function stands() return redis.call('EXISTS', lease, claims) == 2 end
`;

/** Who else there is; an instance whose lease has lapsed is none any more. */
const OTHERS = `
local function others()
  local found = {}
  for _, member in ipairs(redis.call('SMEMBERS', members)) do
    if member ~= me then
      if redis.call('EXISTS', key('l', member), key('i', member)) == 2 then
        found[#found + 1] = member
      else
        redis.call('DEL', key('l', member), key('i', member))
        redis.call('SREM', members, member)
        -- Unless it is not dead, and only about to find this server again.
        redis.call('SET', missing, '1', 'PX', 10000)
      end
    end
  end
  return found
end
local function ask_to_give_up(member, object)
  local wanted = key('w', member)
  redis.call('SADD', wanted, object)
  redis.call('PEXPIRE', wanted, 600000)
end
local function is_member() return redis.call('SISMEMBER', members, me) == 1 and stands() end
`;

/** What is known of the copy of a log, and how entries are added to it. */
const LOG_COPY = `
local function describe(copy)
  local header = redis.call('LINDEX', copy, 0)
  if not header then return nil end
  local from, first = string.match(header, '^(%d+) (%d+)$')
  return tonumber(from), tonumber(first)
end
`;

const script = (name: string, ...body: string[]): HotScript => ({ name, lua: PRELUDE + body.join('') });

/**
 * In: a new id, length of the lease in ms, 1 while this instance is switching the generation, and after how many ms another one
 * that has not prolonged its lease may be writing without this server. Begins an epoch, and answers its name, and 1 if there is such
 * an instance: every copy made until now is forgotten. Claims stay, those of this instance as well: what they fence may be under
 * way. While somebody is switching the generation there is none, and the name is empty: a copy of the former generation would be
 * believed for ever if that one died before it has begun the epoch behind the switch.
 */
export const RENEW = script(
  'renew',
  `
local epoch = node .. ARGV[4]
-- First what frees memory: without room for another epoch there is none, or others would go on to believe this one.
redis.call('DEL', KEYS[1])
redis.call(ARGV[6] == '1' and 'SADD' or 'SREM', closing, me)
redis.call('SADD', members, me)
redis.call('SET', lease, ARGV[5], 'PX', ARGV[5])
redis.call('HSET', claims, '', '0')
redis.call('PEXPIRE', claims, ARGV[5])
local late = redis.call('EXISTS', missing)
for _, member in ipairs(redis.call('SMEMBERS', members)) do
  local length = tonumber(redis.call('GET', key('l', member)) or 0)
  local passed = length - redis.call('PTTL', key('l', member))
  if length == 0 or passed > tonumber(ARGV[7]) then late = 1 end
end
for _, member in ipairs(redis.call('SMEMBERS', closing)) do
  if redis.call('EXISTS', key('l', member), key('i', member)) == 2 then return { '', late } end
  redis.call('SREM', closing, member)
end
redis.call('SET', KEYS[1], epoch)
return { epoch, late }`,
);

/**
 * In: length of the lease in ms. Prolongs the lease of this instance; answers the epoch and the objects that it claims and others
 * would like, or nothing when it had lapsed.
 */
export const BEAT = script(
  'beat',
  `
if redis.call('SISMEMBER', members, me) == 0 or not stands() then return {} end
redis.call('PEXPIRE', lease, ARGV[4])
redis.call('PEXPIRE', claims, ARGV[4])
local answer = { epoch_now() }
for _, object in ipairs(redis.call('SMEMBERS', key('w', me))) do
  if redis.call('HEXISTS', claims, object) == 1 then answer[#answer + 1] = object end
end
redis.call('DEL', key('w', me))
return answer`,
);

/** This instance leaves, and its claims with it. */
export const LEAVE = script(
  'leave',
  `
redis.call('SREM', members, me)
redis.call('SREM', closing, me)
redis.call('DEL', lease, claims, key('w', me))`,
);

/**
 * In: time to live of a claimed copy in ms, then object and number of each claim. Before the first write of several: puts the
 * shared copies out of reach, takes the leases of readers and the copies of other claimants away. Answers the epoch and for
 * each object `shared`, when somebody else claims it as well, or what there is of it: `1` for a document, `<from> <first>
 * <number of entries>` for a log, or nothing. Answers nothing at all when the lease of this instance has lapsed.
 */
export const CLAIM = script(
  'claim',
  OTHERS,
  LOG_COPY,
  `
if not is_member() then return {} end
local epoch, rivals = epoch_now(), others()
local answer = { epoch }
for i = 5, #ARGV, 2 do
  local object, number = ARGV[i], ARGV[i + 1]
  local shared = false
  -- First what frees memory: what a server without room refuses it does not refuse behind that, and the claim stands.
  redis.call('DEL', key('r', object))
  for _, rival in ipairs(rivals) do
    local claim = redis.call('HGET', key('i', rival), object)
    if claim then
      shared = true
      if string.sub(claim, 1, 1) ~= '-' then
        redis.call('HSET', key('i', rival), object, '-' .. claim)
        redis.call('DEL', key('m', rival .. '.' .. claim))
      end
      ask_to_give_up(rival, object)
    end
  end
  local former = redis.call('HGET', claims, object)
  if former then redis.call('DEL', key('m', me .. '.' .. former)) end
  redis.call('HSET', claims, object, shared and '-' .. number or number)
  local copy, mine = copy_key(epoch, object), key('m', me .. '.' .. number)
  local found = ''
  if shared then
    redis.call('DEL', copy)
    found = 'shared'
  elseif redis.call('EXISTS', copy) == 1 then
    redis.call('RENAME', copy, mine)
    redis.call('PEXPIRE', mine, ARGV[4])
    if string.sub(object, 1, 1) == 'd' then
      found = '1'
    else
      local from, first = describe(mine)
      if from then found = string.format('%.0f %.0f %.0f', from, first, redis.call('LLEN', mine) - 1) end
    end
  end
  answer[#answer + 1] = found
end
return answer`,
);

/**
 * In: the epoch of the claims, time to live of a shared and of a claimed copy in ms, then actions: a letter, object and number
 * of the claim, and
 * - `set` with the text of a document, `new` when there was no copy;
 * - `add` with the length of the list after it, the number of the entries that follow, and their texts;
 * - `log` with a header, the number of entries, and their texts: there was no copy;
 * - `end`: the claim is given up and its copy shared, `drop`: the copy goes as well.
 *
 * Answers the epoch, 1 if the lease of this instance stands, and the objects that somebody else has claimed meanwhile. In
 * another epoch, or without the lease, nothing but the claims to be dropped is done.
 */
export const UPDATE = script(
  'update',
  `
local epoch = epoch_now()
local standing = stands()
local valid = standing and epoch ~= '' and epoch == ARGV[4]
local answer = { epoch, standing and 1 or 0 }
local i = 7
while i <= #ARGV do
  local action, object, number = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local mine = prefix .. 'm:' .. me .. '.' .. number
  local kept = true
  i = i + 3
  if action == 'set' then
    if valid then kept = redis.call('SET', mine, ARGV[i], 'XX', 'KEEPTTL') end
    i = i + 1
  elseif action == 'add' then
    local length, count = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
    if valid then
      local found = 0
      for at = i + 2, i + 1 + count, 1000 do
        found = redis.call('RPUSHX', mine, unpack(ARGV, at, math.min(at + 999, i + 1 + count)))
      end
      kept = found == length
    end
    i = i + 2 + count
  elseif action == 'new' or action == 'log' then
    kept = valid and redis.call('HGET', claims, object) == number
    if action == 'new' then
      if kept then redis.call('SET', mine, ARGV[i], 'PX', ARGV[6]) end
      i = i + 1
    else
      local count = tonumber(ARGV[i + 1])
      if kept then
        redis.call('DEL', mine)
        redis.call('RPUSH', mine, ARGV[i])
        for at = i + 2, i + 1 + count do redis.call('RPUSH', mine, ARGV[at]) end
        redis.call('PEXPIRE', mine, ARGV[6])
      end
      i = i + 2 + count
    end
  else
    local claim = redis.call('HGET', claims, object)
    if claim == number and valid and action == 'end' and redis.call('EXISTS', mine) == 1 then
      local copy = copy_key(epoch, object)
      redis.call('RENAME', mine, copy)
      redis.call('PEXPIRE', copy, ARGV[5])
    else
      redis.call('DEL', mine)
    end
    if claim == number or claim == '-' .. number then redis.call('HDEL', claims, object) end
  end
  if not kept then
    redis.call('DEL', mine)
    answer[#answer + 1] = object
  end
end
return answer`,
);

/**
 * In: token and length in ms of a lease, object. For a reader that found no copy: answers the epoch and 1 if it may keep what
 * it fetches now, because nobody is writing the object. Answers nothing at all when the lease of this instance has lapsed.
 */
export const MISS = script(
  'miss',
  OTHERS,
  `
if not is_member() then return {} end
local token, length, object = ARGV[4], ARGV[5], ARGV[6]
local epoch = epoch_now()
local free = redis.call('HEXISTS', claims, object) == 0
for _, other in ipairs(others()) do
  if redis.call('HEXISTS', key('i', other), object) == 1 then
    free = false
    ask_to_give_up(other, object)
  end
end
if epoch == '' or not free then return { epoch, 0 } end
redis.call('SET', key('r', object), token, 'PX', length)
return { epoch, 1 }`,
);

/**
 * In: number of documents, their keys, then key and greatest index of each list. Answers the epoch, 1 if the lease of this
 * instance stands, the documents, and the beginning of each list: in a cluster, where plain commands would not tell from which
 * node the answer comes.
 */
export const LOOK = script(
  'look',
  `
local answer = { epoch_now(), redis.call('GET', lease) }
local last = 4 + tonumber(ARGV[4])
for i = 5, last do answer[#answer + 1] = redis.call('GET', ARGV[i]) end
for i = last + 1, #ARGV, 2 do answer[#answer + 1] = redis.call('LRANGE', ARGV[i], 0, ARGV[i + 1]) end
return answer`,
);

/**
 * In: the epoch, 1 when the copy is a claimed one, its key, then after, before (both exclusive), limit, and 1 for the greatest
 * first. Answers `[sequence, [text, …]]` with the entries from that sequence on, always ascending, or nothing when the copy
 * does not have all of them.
 */
export const READ_RANGE = script(
  'readRange',
  LOG_COPY,
  `
if epoch_now() ~= ARGV[4] or (ARGV[5] == '1' and not stands()) then return {} end
local copy, reverse = ARGV[6], ARGV[10] == '1'
local after, before, limit = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local from, first = describe(copy)
if not from then return {} end
local low = math.max(after + 1, from, first)
local high = math.min(before - 1, first + redis.call('LLEN', copy) - 2)
local count = first == 0 and 0 or math.max(high - low + 1, 0)
if from > after + 1 and not (reverse and count >= limit) then return {} end
if count == 0 then return { 0, {} } end
if reverse then
  low = math.max(low, high - limit + 1)
else
  high = math.min(high, low + limit - 1)
end
return { low, redis.call('LRANGE', copy, low - first + 1, high - first + 1) }`,
);

/**
 * In: token of the lease, epoch, time to live in ms, object, then for a document its text, for a log the header of its list
 * and the texts of its entries. Keeps what was fetched, if the lease still holds.
 */
export const FILL = script(
  'fill',
  `
local token, epoch, ttl, object = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local reader = key('r', object)
if redis.call('GET', reader) ~= token then return end
redis.call('DEL', reader)
if epoch_now() ~= epoch then return end
local copy = copy_key(epoch, object)
if string.sub(object, 1, 1) == 'd' then
  redis.call('SET', copy, ARGV[8])
else
  redis.call('DEL', copy)
  for i = 8, #ARGV do redis.call('RPUSH', copy, ARGV[i]) end
end
redis.call('PEXPIRE', copy, ttl)`,
);
