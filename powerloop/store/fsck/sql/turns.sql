-- Sends that run, wait or were dispatched before their turn.
SELECT x.session_id AS session, x.id AS send, x.position, x.status, x.dispatched_at, s.finished
  FROM powerloop.sends AS x
  JOIN powerloop.sessions AS s ON s.id = x.session_id
 WHERE x.ended_at IS NULL
   AND x.position <> s.finished + 1
   AND (x.status <> 'queued' OR x.dispatched_at IS NOT NULL)
 ORDER BY 1, 3
 LIMIT :limit
