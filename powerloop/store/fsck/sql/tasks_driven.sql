-- Tool tasks that nobody has driven for half a minute: as with sends, asked only of a system at rest.
SELECT t.session_id AS session, t.send_id AS send, t.id AS task, t.status, t.queue, t.owner, t.dispatched_at
  FROM powerloop.tool_tasks AS t
 WHERE t.status = 'queued' AND t.dispatched_at < :moment_ago
    OR t.status = 'running'
       AND NOT EXISTS (
           SELECT 1 FROM powerloop.worker_leases AS l WHERE l.id = t.owner AND l.expires_at > :moment_ago
       )
 ORDER BY 1, 2, 3
 LIMIT :limit
