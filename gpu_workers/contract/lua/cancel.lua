-- ARGV: attempt, type, data, ttl_s, ended_ttl_s. Asks a running job to stop and answers {'running', ''}; ends a waiting or
-- orphaned one here and answers {'cancelled', id}; {'ended', ''} when somebody was first.
open(ARGV[1], ARGV[4])
if redis.call('HEXISTS', state, 'ended') == 1 then return {'ended', ''} end
redis.call('HSET', state, 'cancel', 1)
if leased() then return {'running', ''} end
local id = add_next(ARGV[2], ARGV[3])
finish(ARGV[2], ARGV[5])
return {'cancelled', id}
