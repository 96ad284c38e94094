-- What was written for a send after its end. One statement writes an end and all that belongs to it, with the
-- clock read for each row: hence the second.
SELECT x.session_id AS session, x.id AS send, x.status, x.ended_at, w.what, w.written_at
  FROM powerloop.sends AS x
  JOIN (
       SELECT send_id, 'message' AS what, created_at AS written_at FROM powerloop.messages
        UNION ALL
       SELECT send_id, 'call', created_at FROM powerloop.tool_calls
        UNION ALL
       SELECT send_id, 'result', ended_at FROM powerloop.tool_calls
        UNION ALL
       SELECT send_id, 'model call', created_at FROM powerloop.model_calls
        UNION ALL
       SELECT send_id, 'question', created_at FROM powerloop.interactions
  ) AS w ON w.send_id = x.id
 WHERE w.written_at > x.ended_at + interval '1 second'
 ORDER BY 1, 2, 5
 LIMIT :limit
