-- Shared by every script of the job log. KEYS[1] is the job's state (hash), KEYS[2] its log (stream).
-- State fields: attempt, number (of the last event of this attempt), worker, lease (ms epoch), cancel, ended.
local state, log = KEYS[1], KEYS[2]

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function leased()
  local lease = redis.call('HGET', state, 'lease')
  return lease and tonumber(lease) > now_ms()
end

local function open(attempt, ttl_s)
  if redis.call('HSETNX', state, 'attempt', attempt) == 1 then
    redis.call('EXPIRE', state, ttl_s)
  end
end

local function add(attempt, number, type, data)
  redis.call('XADD', log, attempt .. '-' .. number, 't', type, 'd', data)
  redis.call('HSET', state, 'number', number)
end

local function add_next(type, data)
  local attempt = redis.call('HGET', state, 'attempt')
  local number = tonumber(redis.call('HGET', state, 'number') or '0') + 1
  add(attempt, number, type, data)
  return attempt .. '-' .. number
end

local function finish(type, ttl_s)
  redis.call('HSET', state, 'ended', type)
  redis.call('HDEL', state, 'lease')
  redis.call('EXPIRE', state, ttl_s)
  redis.call('EXPIRE', log, ttl_s)
end
