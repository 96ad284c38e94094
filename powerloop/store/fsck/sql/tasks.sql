-- Tool tasks that have not ended though no call waits for them: their call has ended, or their send.
SELECT t.session_id AS session, t.send_id AS send, t.id AS task, t.status, c.status AS call_status
  FROM powerloop.tool_tasks AS t
  JOIN powerloop.sends AS x ON x.id = t.send_id
  LEFT JOIN powerloop.tool_calls AS c ON c.send_id = t.send_id AND c.id = t.call_id
 WHERE t.ended_at IS NULL AND (x.ended_at IS NOT NULL OR c.status IS NULL OR c.status <> 'waiting')
 ORDER BY 1, 2, 3
 LIMIT :limit
