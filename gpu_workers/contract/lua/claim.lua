-- ARGV: attempt, worker, lease_ms, ttl_s, type and data of the event that says so. Answers {'ok', its number} or {reason, 0}.
local attempt = tonumber(ARGV[1])
open(attempt, ARGV[4])
local have = redis.call('HMGET', state, 'attempt', 'ended', 'cancel', 'worker', 'number')
if have[2] then return {'ended', 0} end
if have[3] then return {'cancelled', 0} end
if tonumber(have[1]) > attempt then return {'stale', 0} end
if leased() then return {'taken', 0} end
-- An attempt runs once: a second copy of its message finds the worker's name and goes away.
if tonumber(have[1]) == attempt and have[4] and have[4] ~= '' then return {'spent', 0} end
local number = tonumber(have[5] or '0')
if tonumber(have[1]) < attempt then number = 0 end
redis.call('HSET', state, 'attempt', attempt, 'worker', ARGV[2], 'lease', now_ms() + tonumber(ARGV[3]))
add(ARGV[1], number + 1, ARGV[5], ARGV[6])
redis.call('EXPIRE', state, ARGV[4])
redis.call('EXPIRE', log, ARGV[4])
return {'ok', number + 1}
