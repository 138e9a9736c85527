/**
 * What happens in Redis in one step each: Lua scripts, called by their digest. Owns no state.
 *
 * The keys of a job lie in different slots of a cluster, where one script may touch one slot only. So every script works
 * with the keys it is given: all of them on a single server, one at a time on a cluster (`redis-commands.ts`).
 */

/** The names that clients of the contract know, for one job. */
export const resultKey = (jobId: string): string => `result:${jobId}`;
export const stateKey = (jobId: string): string => `job:${jobId}`;
/** Holds who runs a job now. Not part of the contract. */
export const claimKey = (jobId: string): string => `claim:${jobId}`;
/** Key or channel of a shared value. */
export const sharedKey = (name: string): string => `ng:${name}`;
/** A stream, and what says that a job's events are in it: in braces, so that a cluster keeps both on one server. */
export const streamKey = (stream: string): string => `ng:{${stream}}`;
export const appendedKey = (stream: string, jobId: string): string => `ng:{${stream}}:once:${jobId}`;

/** Final states at the key of a job's progress; whatever else stands there gives way. */
const IS_FINAL = `local function isFinal(key)
  local state = redis.call('GET', key)
  return state == 'completed' or state == 'failed'
end
`;

/** The server's time in milliseconds. */
const NOW_MS = `local function nowMs()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
`;

/** Appends an event, its XADD's arguments packed as JSON: what went wrong, or nothing. */
const APPEND = `local function append(key, packed)
  local answer = redis.pcall('XADD', key, unpack(cjson.decode(packed)))
  if type(answer) == 'table' and answer.err then return answer.err end
end
`;

export const SCRIPTS = {
  /**
   * KEYS: result, state (optional), streams (optional). ARGV: body, TTL in ms, final state, and for each stream the
   * arguments of XADD as JSON. Stores and publishes a result unless one is known, and appends its events: 1 where it
   * did, 0 where it was known, and the reason where the result was published and a stream did not take its event. The
   * channel has the name of the key.
   */
  ngPublish: `${APPEND}if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
redis.call('PUBLISH', KEYS[1], ARGV[1])
if KEYS[2] then redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[2]) end
local refused
for i = 3, #KEYS do refused = append(KEYS[i], ARGV[i + 1]) or refused end
return refused or 1`,

  /**
   * KEYS: stream, and what says that it was done. ARGV: arguments of XADD as JSON, TTL in ms. Appends an event once: 1
   * where it is appended, and the reason where the stream did not take it.
   */
  ngAppend: `${APPEND}if not redis.call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[2]) then return 1 end
return append(KEYS[1], ARGV[1]) or 1`,

  /** KEYS: state, result (optional). ARGV: state, TTL in ms. Notes a state that is not yet final; 0 where a final one is known. */
  ngProgress: `${IS_FINAL}if isFinal(KEYS[1]) or (KEYS[2] and redis.call('EXISTS', KEYS[2]) == 1) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`,

  /**
   * KEYS: claim, result (optional), state (optional). ARGV: owner, lease in ms, TTL in ms. Takes a job up: 0 where its
   * result is known, 1 where the owner has it now, and who has it where that is another.
   */
  ngBegin: `${IS_FINAL}if KEYS[2] and redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return owner end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if KEYS[3] and not isFinal(KEYS[3]) then redis.call('SET', KEYS[3], 'running', 'PX', ARGV[3]) end
return 1`,

  /** KEYS: claim. ARGV: owner, lease in ms. Keeps a claim, also one that had lapsed and that nobody took. */
  ngRenew: `local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`,

  /** KEYS: shared value. ARGV: new value, TTL in ms, the expected one (none: there must be none). 1 where it was set. */
  ngCompareAndSet: `local present = redis.call('GET', KEYS[1])
if present ~= (ARGV[3] or false) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`,

  /**
   * KEYS: channel. ARGV: message. A script, so that a cluster has one server tell all of a channel: the messages of
   * several overtake each other.
   */
  ngTell: `return redis.call('PUBLISH', KEYS[1], ARGV[1])`,

  /** KEYS: shared value. ARGV: what is added, TTL in ms. The sum as a text, or nothing where the value is no number. */
  ngIncrement: `local isNew = redis.call('EXISTS', KEYS[1]) == 0
local sum = redis.pcall('INCRBYFLOAT', KEYS[1], ARGV[1])
if type(sum) == 'table' and sum.err then
  if string.find(sum.err, 'float', 1, true) then return false end
  return sum
end
if isNew then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return sum`,

  /** KEYS: schedule. ARGV: member, time until it is due in ms. By the server's clock, which is the same for all. */
  ngSchedule: `${NOW_MS}redis.call('ZADD', KEYS[1], nowMs() + ARGV[2], ARGV[1])
return 1`,

  /** KEYS: schedule. ARGV: most members, lease in ms. Members that are due, each due again after the lease. */
  ngTakeDue: `${NOW_MS}local now = nowMs()
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
for _, member in ipairs(due) do redis.call('ZADD', KEYS[1], now + ARGV[2], member) end
return due`,

  /** KEYS: bucket. ARGV: tokens wanted, capacity, tokens a millisecond. How many there were, and the time until the next one in ms. */
  ngTakeTokens: `${NOW_MS}local now, capacity, perMs = nowMs(), tonumber(ARGV[2]), tonumber(ARGV[3])
local known = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = math.min(capacity, (tonumber(known[1]) or capacity) + math.max(0, now - (tonumber(known[2]) or now)) * perMs)
local taken = math.min(tonumber(ARGV[1]), math.floor(tokens))
tokens = tokens - taken
redis.call('HMSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(capacity / perMs) + 1000)
return {taken, math.max(0, math.ceil((1 - tokens) / perMs))}`,

  /** KEYS: quota. ARGV: holder, count, most of all holders, lease in ms. What the holder has now. */
  ngHoldShare: `${NOW_MS}local now, others = nowMs(), 0
local known = redis.call('HGETALL', KEYS[1])
for i = 1, #known, 2 do
  local count, till = string.match(known[i + 1], '^(%d+):(%d+)$')
  if not till or tonumber(till) <= now then redis.call('HDEL', KEYS[1], known[i])
  elseif known[i] ~= ARGV[1] then others = others + count end
end
local share = math.max(0, math.min(tonumber(ARGV[2]), ARGV[3] - others))
if share == 0 then redis.call('HDEL', KEYS[1], ARGV[1]) return 0 end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f:%.0f', share, now + ARGV[4]))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return share`,

  /** KEYS: claim. ARGV: owner. Gives a claim up, unless it is another's by now. */
  ngRelease: `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`,
} as const;

export type ScriptName = keyof typeof SCRIPTS;
