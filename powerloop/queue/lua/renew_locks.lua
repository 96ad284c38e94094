-- Renew every lock of a process, and take again those that have vanished.
--
-- KEYS[i]       powerloop:lock:{session}   the token of the holder; expires
-- ARGV[1]       milliseconds until an unrenewed lock expires
-- ARGV[i + 1]   our token for KEYS[i]
--
-- Returns a list: 1 where the lock is ours now, 0 where somebody else holds it.

local ours = {}
for i, key in ipairs(KEYS) do
  local holder = redis.call("GET", key)
  if holder == ARGV[i + 1] then
    redis.call("PEXPIRE", key, ARGV[1])
    ours[i] = 1
  elseif not holder then
    redis.call("SET", key, ARGV[i + 1], "PX", ARGV[1])
    ours[i] = 1
  else
    ours[i] = 0
  end
end
return ours
