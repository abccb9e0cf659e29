-- Folds the older half of the log: its deltas become one `whole` delta under the id of the last of them, what only
-- mattered at the time (queued, progress, preview) goes, everything else keeps its id.
local passing = {queued = true, progress = true, preview = true}

local function compact(cap)
  local entries = redis.call('XRANGE', log, '-', '+')
  local older = #entries - math.floor(cap / 2)
  local text, reasoning, merged_at, kept = '', '', nil, {}
  for i = 1, older do
    local type, data = entries[i][2][2], entries[i][2][4]
    if type == 'delta' then
      local delta = cjson.decode(data)
      if delta.whole then text, reasoning = '', '' end
      text = text .. (delta.text or '')
      reasoning = reasoning .. (delta.reasoning or '')
      merged_at = #kept + 1
      kept[merged_at] = {entries[i][1]}
    elseif not passing[type] then
      if type == 'retry' and cjson.decode(data).from == 'start' then text, reasoning = '', '' end
      kept[#kept + 1] = entries[i]
    end
  end
  local ttl = redis.call('TTL', log)
  redis.call('DEL', log)
  for i = 1, #kept do
    if #kept[i] == 2 then
      redis.call('XADD', log, kept[i][1], 't', kept[i][2][2], 'd', kept[i][2][4])
    elseif i == merged_at then
      redis.call('XADD', log, kept[i][1], 't', 'delta', 'd',
        cjson.encode({text = text, reasoning = reasoning, whole = true}))
    end
  end
  for i = older + 1, #entries do
    redis.call('XADD', log, entries[i][1], 't', entries[i][2][2], 'd', entries[i][2][4])
  end
  if ttl > 0 then redis.call('EXPIRE', log, ttl) end
end
