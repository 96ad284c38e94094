-- Timers that have not counted what they made, that hold back a tick of which nothing is known, or that are live
-- though their session is closed.
SELECT t.id AS timer, t.status, t.fires, max(f.number) AS number, 'counts' AS what
  FROM powerloop.timers AS t
  JOIN powerloop.timer_firings AS f ON f.timer_id = t.id
 GROUP BY t.id
HAVING max(f.number) > t.fires
UNION ALL
SELECT t.id, t.status, t.fires, f.number, 'last send'
  FROM powerloop.timers AS t
  JOIN powerloop.timer_firings AS f ON f.timer_id = t.id AND f.number = t.fires AND f.outcome = 'fired'
 WHERE t.last_send_id IS NULL OR t.last_send_id <> f.send_id
UNION ALL
SELECT t.id, t.status, t.fires, 0, 'held back'
  FROM powerloop.timers AS t
  LEFT JOIN powerloop.timer_firings AS f ON f.timer_id = t.id AND f.tick_at = t.held_at AND f.outcome = 'held'
 WHERE t.held_at IS NOT NULL AND f.timer_id IS NULL
UNION ALL
SELECT t.id, t.status, t.fires, 0, 'session closed'
  FROM powerloop.timers AS t
  JOIN powerloop.sessions AS s ON s.id = t.session_id
 WHERE t.ended_at IS NULL AND s.status = 'closed'
 ORDER BY 1
 LIMIT :limit
