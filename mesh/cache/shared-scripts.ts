/**
 * KEYS: the epoch, then the keys. ARGV: our lease, its life in ms, an epoch should there be none, what else an entry must be of. Answers
 * with the mark that entries must have, and for each key with the entry that has it, or with our lease if it is ours to load, or with
 * nothing if somebody else is loading it.
 */
export const findScript = `
local epoch = redis.call('GET', KEYS[1])
if not epoch then
  epoch = ARGV[3]
  redis.call('SET', KEYS[1], epoch)
end
local mark = epoch .. ARGV[4]
local answer = {mark}
for i = 2, #KEYS do
  local raw = redis.call('GET', KEYS[i])
  if raw and string.sub(raw, 1, 1) == 'L' then
    answer[i] = ''
  elseif raw and string.sub(raw, 2, #mark + 2) == mark .. ':' then
    answer[i] = raw
  else
    redis.call('SET', KEYS[i], ARGV[1], 'PX', ARGV[2])
    answer[i] = ARGV[1]
  end
end
return answer`;

/** ARGV for each key: what is expected there, what is to be there, for how many ms. */
export const storeScript = `
for i, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[3 * i - 2] then redis.call('SET', key, ARGV[3 * i - 1], 'PX', ARGV[3 * i]) end
end
return 1`;
