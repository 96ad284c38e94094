-- Give a session's lock back, if it is still ours.
--
-- KEYS[1]   powerloop:lock:{session}   the token of the holder; expires
-- ARGV[1]   our token
--
-- Returns 1 if it was ours, else 0.

if redis.call("GET", KEYS[1]) == ARGV[1] then
  return redis.call("DEL", KEYS[1])
end
return 0
