-- Sends that a timer has made and no tick of it tells of, and ticks that tell of a send which is not that of theirs.
-- Ticks are forgotten by their age: what is older than the oldest that is known may have been forgotten. Sends go
-- with their sessions.
SELECT t.id AS timer, k.id AS send, 'no tick' AS what
  FROM powerloop.sends AS k
  JOIN powerloop.timers AS t ON t.id = k.metadata ->> 'timer_id'
  LEFT JOIN powerloop.timer_firings AS f ON f.send_id = k.id
 WHERE substr(k.idempotency_key, 1, 6) = 'timer:' AND f.send_id IS NULL
   AND k.created_at >= (SELECT min(o.at) FROM powerloop.timer_firings AS o WHERE o.timer_id = t.id)
UNION ALL
SELECT f.timer_id, f.send_id, 'another key'
  FROM powerloop.timer_firings AS f
  JOIN powerloop.sends AS k ON k.id = f.send_id
 WHERE k.idempotency_key IS NULL
    OR substr(k.idempotency_key, 1, length(f.timer_id) + 7) <> 'timer:' || f.timer_id || ':'
 ORDER BY 1, 2
 LIMIT :limit
