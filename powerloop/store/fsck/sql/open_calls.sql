-- Calls that are open though their send has ended.
SELECT c.session_id AS session, c.send_id AS send, c.round, c.call_index, c.id AS call, c.status
  FROM powerloop.tool_calls AS c
  JOIN powerloop.sends AS x ON x.id = c.send_id
 WHERE x.ended_at IS NOT NULL AND c.ended_at IS NULL
 ORDER BY 1, 2, 3, 4
 LIMIT :limit
