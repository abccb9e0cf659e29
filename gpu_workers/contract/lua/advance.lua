-- ARGV: attempt that was lost, type, data, ttl_s, ended_ttl_s, 1 if the event is terminal.
-- Opens the next attempt (or ends the job) when no lease lives. Answers {'ok', id} or {'ended'|'leased'|'moved'|'cancel', ''}.
local lost = tonumber(ARGV[1])
open(lost, ARGV[4])
local have = redis.call('HMGET', state, 'attempt', 'ended', 'cancel')
if have[2] then return {'ended', ''} end
if leased() then return {'leased', ''} end
if tonumber(have[1]) > lost then return {'moved', ''} end
if have[3] and ARGV[6] ~= '1' then return {'cancel', ''} end
if ARGV[6] ~= '1' then
  redis.call('HSET', state, 'attempt', lost + 1, 'number', 0, 'worker', '')
end
local id = add_next(ARGV[2], ARGV[3])
if ARGV[6] == '1' then finish(ARGV[2], ARGV[5]) else redis.call('EXPIRE', log, ARGV[4]) end
return {'ok', id}
