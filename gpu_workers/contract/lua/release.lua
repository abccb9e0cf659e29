-- ARGV: attempt, worker. Hands the job back: the lease ends now, so that the sweep need not wait for it.
local have = redis.call('HMGET', state, 'attempt', 'worker', 'ended')
if have[1] == ARGV[1] and have[2] == ARGV[2] and not have[3] then
  redis.call('HDEL', state, 'lease')
  return 1
end
return 0
