-- Leases that ran out long ago and were not forgotten, and sends that still run under such a one.
SELECT l.id AS worker, l.expires_at, x.session_id AS session, x.id AS send
  FROM powerloop.worker_leases AS l
  LEFT JOIN powerloop.sends AS x ON x.owner = l.id AND x.status = 'running'
 WHERE l.expires_at < :long_ago
 ORDER BY 1, 3
 LIMIT :limit
