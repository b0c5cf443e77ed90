/**
 * The Lua of the hot copies. Each script is one round trip and one atomic step on the Redis server.
 *
 * An *object* is a document (`d:<collection>/<id>`) or a log (`l:<log>`). Its keys, all behind the prefix:
 * - `c:<epoch>:<object>` the copy: a string for a document, a list for a log: first `<from> <first>`, the sequence from which
 *   on the log is complete and that of the first entry in the list (0 while there is none), then the entries without a gap
 *   between them. A list and not a stream, because a script passes its answer on several times as quickly;
 * - `p:<object>` who is writing it just now: a hash of tokens, and `contended` once there were two at a time;
 * - `h:<object>` the copy as it was before the writing began, out of reach of the readers;
 * - `r:<object>` the lease of the reader that is fetching it from the cold side.
 *
 * The *epoch* names the copies that may be believed. It is in the key of every copy, so that a new epoch forgets all of
 * them at once; where the server is a cluster it also names the node, because a replica that took over may lack the last
 * writes.
 */

/** A script and the number of its keys; the only key is that of the epoch, the rest shares its hash tag. */
export interface HotScript {
  name: string;
  lua: string;
}

const PRELUDE = `
local prefix = ARGV[1]
local node = ARGV[2] == '1' and redis.call('CLUSTER', 'MYID') or ''
local function epoch_now()
  local epoch = redis.call('GET', KEYS[1])
  if not epoch then return '' end
  if node ~= '' and string.sub(epoch, 1, #node) ~= node then return '' end
  return epoch
end
local function key(kind, object) return prefix .. kind .. ':' .. object end
local function copy_key(epoch, object) return prefix .. 'c:' .. epoch .. ':' .. object end
`;

const script = (name: string, body: string): HotScript => ({ name, lua: PRELUDE + body });

/** In: a new id. Begins an epoch, and answers its name: every copy made until now is forgotten. */
export const RENEW = script(
  'renew',
  `
local epoch = node .. ARGV[3]
redis.call('SET', KEYS[1], epoch)
return epoch`,
);

/** Ends the epoch without beginning another: everybody goes to the cold side. */
export const CLOSE = script('close', `redis.call('DEL', KEYS[1])`);

/**
 * In: token, lapse in ms, objects. Before a write: puts the copies out of reach, until `FINISH` or until the lapse, and
 * takes the leases of the readers away. Answers the epoch.
 */
export const BEGIN = script(
  'begin',
  `
local token, lapse = ARGV[3], ARGV[4]
local epoch = epoch_now()
for i = 5, #ARGV do
  local object = ARGV[i]
  local pending = key('p', object)
  if redis.call('EXISTS', pending) == 1 then redis.call('HSET', pending, 'contended', '1') end
  redis.call('HSET', pending, token, '1')
  redis.call('PEXPIRE', pending, lapse)
  redis.call('DEL', key('r', object))
  local copy = copy_key(epoch, object)
  if redis.call('EXISTS', copy) == 1 then
    local held = key('h', object)
    redis.call('RENAME', copy, held)
    redis.call('PEXPIRE', held, lapse)
  end
end
return epoch`,
);

/** What is known of the copy of a log, and how entries are added to it. */
const LOG_COPY = `
local function describe(copy)
  local header = redis.call('LINDEX', copy, 0)
  if not header then return nil end
  local from, first = string.match(header, '^(%d+) (%d+)$')
  return tonumber(from), tonumber(first)
end

local function append(copy, from_argument, to_argument)
  local from, first = describe(copy)
  if not from then return end
  local next_one = first + redis.call('LLEN', copy) - 1
  for i = from_argument, to_argument, 2 do
    local sequence = tonumber(ARGV[i])
    if first == 0 then
      first = sequence
      next_one = sequence
      redis.call('LSET', copy, 0, string.format('%.0f %.0f', from, first))
    end
    if sequence ~= next_one then
      -- An entry is missing, and the place in the list would not tell the sequence.
      redis.call('DEL', copy)
      return
    end
    redis.call('RPUSH', copy, ARGV[i + 1])
    next_one = next_one + 1
  end
end
`;

/**
 * In: token, the epoch that \`BEGIN\` answered, time to live in ms, then for each object its name, what became of it, the
 * number of the arguments that follow, and those: `keep` (nothing was written), `drop`, `set` text, or `append` and for
 * each entry its sequence and its text. The copy is brought back only when nobody else wrote the object meanwhile, because
 * then nobody here knows who was last.
 */
export const FINISH = script(
  'finish',
  `
${LOG_COPY}
local token, epoch, ttl = ARGV[3], ARGV[4], ARGV[5]
local same = epoch ~= '' and epoch_now() == epoch
local i = 6
while i <= #ARGV do
  local object, action, count = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  local first = i + 3
  i = first + count
  local pending, held, copy = key('p', object), key('h', object), copy_key(epoch, object)
  if redis.call('HDEL', pending, token) == 0 then
    -- It took longer than the lapse: a reader may have fetched what was there before.
    redis.call('DEL', copy, held)
    if redis.call('EXISTS', pending) == 1 then redis.call('HSET', pending, 'contended', '1') end
  else
    local contended = redis.call('HEXISTS', pending, 'contended') == 1
    local left = redis.call('HLEN', pending) - (contended and 1 or 0)
    if left == 0 then
      redis.call('DEL', pending)
      if same and not contended then
        if (action == 'keep' or action == 'append') and redis.call('EXISTS', held) == 1 then
          redis.call('RENAME', held, copy)
        end
        if action == 'set' then
          redis.call('SET', copy, ARGV[first])
        elseif action == 'append' then
          if tonumber(ARGV[first]) == 1 and redis.call('EXISTS', copy) == 0 then redis.call('RPUSH', copy, '1 0') end
          append(copy, first, first + count - 1)
        end
        redis.call('PEXPIRE', copy, ttl)
      end
      redis.call('DEL', held)
    end
  end
end`,
);

/** What a reader does when there is no copy: it takes the lease unless somebody is writing. */
const MISS = `
local function miss(object)
  if epoch == '' or redis.call('EXISTS', key('p', object)) == 1 then return { 0, '' } end
  redis.call('SET', key('r', object), token, 'PX', lease)
  return { 0, epoch }
end
`;

/**
 * In: token and length in ms of a lease, time to live in ms, object. Answers `[1, text]`, or `[0, epoch]` with the lease
 * taken, or `[0, '']` when what is fetched now may not be kept.
 */
export const READ_DOCUMENT = script(
  'readDocument',
  `
local token, lease, ttl, object = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local epoch = epoch_now()
${MISS}
local text = epoch ~= '' and redis.call('GETEX', copy_key(epoch, object), 'PX', ttl)
if text then return { 1, text } end
return miss(object)`,
);

/**
 * In: as for a document, then after, before (both exclusive), limit, and 1 for the greatest first. Answers
 * `[1, sequence, [text, …]]` with the entries from that sequence on, always ascending, or as for a document.
 */
export const READ_LOG = script(
  'readLog',
  `
${LOG_COPY}
local token, lease, ttl, object = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local after, before, limit, reverse = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10] == '1'
local epoch = epoch_now()
${MISS}
if epoch == '' then return miss(object) end
local copy = copy_key(epoch, object)
local from, first = describe(copy)
if not from then return miss(object) end
local low = math.max(after + 1, from, first)
local high = math.min(before - 1, first + redis.call('LLEN', copy) - 2)
local count = first == 0 and 0 or math.max(high - low + 1, 0)
if from > after + 1 and not (reverse and count >= limit) then return miss(object) end
redis.call('PEXPIRE', copy, ttl)
if count == 0 then return { 1, 0, {} } end
if reverse then
  low = math.max(low, high - limit + 1)
else
  high = math.min(high, low + limit - 1)
end
return { 1, low, redis.call('LRANGE', copy, low - first + 1, high - first + 1) }`,
);

/**
 * In: token of the lease, epoch, time to live in ms, object, then for a document its text, for a log the sequence that it
 * is complete from and each entry's sequence and text, ascending. Keeps what was fetched, if the lease still holds.
 */
export const FILL = script(
  'fill',
  `
${LOG_COPY}
local token, epoch, ttl, object = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local lease = key('r', object)
if redis.call('GET', lease) ~= token then return end
redis.call('DEL', lease)
if epoch_now() ~= epoch then return end
local copy = copy_key(epoch, object)
if string.sub(object, 1, 1) == 'd' then
  redis.call('SET', copy, ARGV[7])
else
  redis.call('DEL', copy)
  redis.call('RPUSH', copy, ARGV[7] .. ' 0')
  append(copy, 8, #ARGV)
end
redis.call('PEXPIRE', copy, ttl)`,
);
