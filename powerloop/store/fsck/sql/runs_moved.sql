-- What has happened to a run half a minute ago, and nobody has taken note of: a leaf that landed, a time that came,
-- something that was said, a beginning or a resume. While workers and beat are away that is no fault, so it is
-- asked only of a system at rest. A run that is paused, or that is to end, takes note of nothing.
WITH at_work AS (
    SELECT r.id, r.created_at, r.resume, c.created_at AS called_at
      FROM powerloop.workflow_runs AS r
      JOIN powerloop.sends AS x ON x.id = r.send_id
      LEFT JOIN powerloop.tool_calls AS c ON c.send_id = r.send_id AND c.id = r.call_id
     WHERE r.status = 'open' AND r.paused_at IS NULL
       AND x.status = 'waiting' AND x.cancel_requested_at IS NULL
)
SELECT n.run_id AS run, n.path, n.status, 'landed' AS what, k.ended_at AS since
  FROM powerloop.workflow_nodes AS n
  JOIN powerloop.workflow_runs AS r ON r.id = n.run_id
  JOIN powerloop.sends AS k ON k.id = n.id
 WHERE n.status = 'landed' AND k.ended_at < :moment_ago AND r.paused_at IS NULL
   AND (r.status <> 'open' OR r.id IN (SELECT w.id FROM at_work AS w))
 UNION ALL
SELECT n.run_id, n.path, n.status, 'woken', n.wakes_at
  FROM powerloop.workflow_nodes AS n
  JOIN at_work AS w ON w.id = n.run_id
 WHERE n.status IN ('open', 'running', 'delayed') AND n.wakes_at < :moment_ago
 UNION ALL
SELECT n.run_id, n.path, n.status, 'timed out', n.deadline_at
  FROM powerloop.workflow_nodes AS n
  JOIN at_work AS w ON w.id = n.run_id
 WHERE n.status IN ('open', 'running', 'delayed') AND n.deadline_at < :moment_ago
 UNION ALL
SELECT i.run_id, i.path, NULL, 'passed over', i.created_at
  FROM powerloop.workflow_inbox AS i
  JOIN at_work AS w ON w.id = i.run_id
 WHERE i.taken_at IS NULL AND i.path IS NOT NULL AND i.created_at < :moment_ago
 UNION ALL
SELECT n.run_id, n.path, n.status, 'signalled', i.created_at
  FROM powerloop.workflow_nodes AS n
  JOIN at_work AS w ON w.id = n.run_id
  JOIN powerloop.workflow_inbox AS i ON i.run_id = n.run_id AND i.signal = n.signal
 WHERE n.status = 'running' AND i.taken_at IS NULL AND i.created_at < :moment_ago AND n.created_at < :moment_ago
 UNION ALL
SELECT w.id, NULL, NULL, 'begun', w.created_at
  FROM at_work AS w
 WHERE w.created_at < :moment_ago
   AND NOT EXISTS (SELECT 1 FROM powerloop.workflow_nodes AS n WHERE n.run_id = w.id)
 UNION ALL
SELECT w.id, NULL, NULL, 'resumed', w.called_at
  FROM at_work AS w
 WHERE w.resume IS NOT NULL AND w.called_at < :moment_ago
 ORDER BY 1, 2
 LIMIT :limit
