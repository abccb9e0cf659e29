-- ARGV: attempt, worker, first number, cap, ended_ttl_s, terminal type or '', then type, data for each event.
-- Answers {'ok', number}; {'behind', number} when the log lacks earlier events (Redis lost its last second); or {'stale'|'ended', 0}.
-- Sending the same events twice is harmless: numbers that are there already are skipped.
local attempt, first = ARGV[1], tonumber(ARGV[3])
local have = redis.call('HMGET', state, 'attempt', 'worker', 'ended', 'number')
if have[1] ~= attempt or have[2] ~= ARGV[2] then return {'stale', 0} end
local number = tonumber(have[4] or '0')
local last = first + (#ARGV - 6) / 2 - 1
if have[3] then
  if number == last then return {'ok', number} end
  return {'ended', 0}
end
if number < first - 1 then return {'behind', number} end
for i = 7, #ARGV, 2 do
  local n = first + (i - 7) / 2
  if n > number then add(attempt, n, ARGV[i], ARGV[i + 1]) end
end
if redis.call('XLEN', log) > tonumber(ARGV[4]) then compact(tonumber(ARGV[4])) end
if ARGV[6] ~= '' then finish(ARGV[6], ARGV[5]) end -- until then the claim and the renewals of the lease keep the log
return {'ok', last}
