-- Runs that are open though their send has ended, or no call of it waits for them.
SELECT r.session_id AS session, r.id AS run, r.send_id AS send, x.status, c.status AS call_status
  FROM powerloop.workflow_runs AS r
  JOIN powerloop.sends AS x ON x.id = r.send_id
  LEFT JOIN powerloop.tool_calls AS c ON c.send_id = r.send_id AND c.id = r.call_id
 WHERE r.status = 'open' AND (x.ended_at IS NOT NULL OR c.status IS NULL OR c.status <> 'waiting')
 ORDER BY 1, 2
 LIMIT :limit
