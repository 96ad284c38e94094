-- Calls that wait for nothing: neither for a question that is open, nor for a sub-agent, a tool task or a run that
-- has not ended, nor for a time. One of a send that is to end, and so waits no more, is closed as it stands.
SELECT c.session_id AS session, c.send_id AS send, c.round, c.call_index, c.id AS call, c.status
  FROM powerloop.sends AS x
  JOIN powerloop.tool_calls AS c ON c.send_id = x.id AND c.status IN ('waiting', 'in_doubt')
 WHERE x.status = 'waiting'
   AND c.wakes_at IS NULL
   AND NOT EXISTS (
       SELECT 1 FROM powerloop.interactions AS i
        WHERE i.send_id = c.send_id AND i.call_id = c.id AND i.status = 'open'
   )
   AND NOT EXISTS (
       SELECT 1 FROM powerloop.sends AS k
        WHERE k.parent_send_id = c.send_id AND k.lineage ->> 'call_id' = c.id
          AND k.lineage ->> 'leaf' IS NULL AND k.ended_at IS NULL
   )
   AND NOT EXISTS (
       SELECT 1 FROM powerloop.tool_tasks AS t
        WHERE t.send_id = c.send_id AND t.call_id = c.id AND t.ended_at IS NULL
   )
   AND NOT EXISTS (
       SELECT 1 FROM powerloop.workflow_runs AS r
        WHERE r.send_id = c.send_id AND r.call_id = c.id AND r.ended_at IS NULL
   )
 ORDER BY 1, 2, 3, 4
 LIMIT :limit
