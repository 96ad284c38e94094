-- Sends that nobody has driven for half a minute: their owner is dead, or they were never claimed. That is no
-- fault while workers are away or busy, so it is asked only of a system that is said to be at rest.
SELECT x.session_id AS session, x.id AS send, x.position, x.status, x.owner, x.dispatched_at
  FROM powerloop.sends AS x
  JOIN powerloop.sessions AS s ON s.id = x.session_id AND x.position = s.finished + 1
 WHERE x.status = 'queued' AND coalesce(x.dispatched_at, x.created_at) < :moment_ago
       AND (s.paused_at IS NULL OR x.cancel_requested_at IS NOT NULL)
    OR x.status = 'running'
       AND NOT EXISTS (
           SELECT 1 FROM powerloop.worker_leases AS l WHERE l.id = x.owner AND l.expires_at > :moment_ago
       )
 ORDER BY 1, 3
 LIMIT :limit
