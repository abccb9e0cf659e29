-- ARGV: attempt, worker, lease_ms, ttl_s. Answers 'ok', 'cancel' (still ours, but a person stopped it) or 'lost'.
local have = redis.call('HMGET', state, 'attempt', 'worker', 'ended', 'cancel')
if have[1] ~= ARGV[1] or have[2] ~= ARGV[2] or have[3] then return 'lost' end
redis.call('HSET', state, 'lease', now_ms() + tonumber(ARGV[3]))
redis.call('EXPIRE', state, ARGV[4])
redis.call('EXPIRE', log, ARGV[4])
if have[4] then return 'cancel' end
return 'ok'
