-- ARGV: attempt, type, data, ttl_s. Adds an event from the web side to a job that waits. Answers its id, or '' when it no longer waits.
local attempt = tonumber(ARGV[1])
open(attempt, ARGV[4])
local have = redis.call('HMGET', state, 'attempt', 'ended', 'worker')
if have[2] or tonumber(have[1]) ~= attempt or (have[3] and have[3] ~= '') then return '' end
local id = add_next(ARGV[2], ARGV[3])
redis.call('EXPIRE', log, ARGV[4])
return id
