-- Sends that run under an owner without a lease, in a session where nothing was written for long.
SELECT x.session_id AS session, x.id AS send, x.owner, s.updated_at
  FROM powerloop.sends AS x
  JOIN powerloop.sessions AS s ON s.id = x.session_id
 WHERE x.status = 'running'
   AND s.updated_at < :long_ago
   AND NOT EXISTS (SELECT 1 FROM powerloop.worker_leases AS l WHERE l.id = x.owner)
 ORDER BY 1
 LIMIT :limit
