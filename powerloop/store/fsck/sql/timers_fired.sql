-- Armed timers that have been due for long, and held ticks whose turn it is.
SELECT t.id AS timer, t.due_at, t.held_at, t.asked_at
  FROM powerloop.timers AS t
  LEFT JOIN powerloop.sends AS k ON k.id = t.last_send_id
 WHERE t.status = 'armed'
   AND (t.due_at < :moment_ago
        OR t.held_at < :moment_ago AND (k.id IS NULL OR k.ended_at < :moment_ago))
 ORDER BY 1
 LIMIT :limit
