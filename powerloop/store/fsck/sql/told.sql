-- Sub-agents that have ended though the call of their parent still waits for them. The leaves of a run are none:
-- their ends are told to their nodes.
SELECT k.session_id AS session, k.id AS send, k.status, k.ended_at, c.send_id AS parent, c.id AS call
  FROM powerloop.sends AS x
  JOIN powerloop.tool_calls AS c ON c.send_id = x.id AND c.status = 'waiting'
  JOIN powerloop.sends AS k ON k.parent_send_id = x.id AND k.lineage ->> 'call_id' = c.id
 WHERE x.status = 'waiting' AND k.ended_at IS NOT NULL AND k.lineage ->> 'leaf' IS NULL
 ORDER BY 1, 2
 LIMIT :limit
