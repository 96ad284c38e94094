-- Sends that wait though no call of theirs does.
SELECT x.session_id AS session, x.id AS send, x.rounds
  FROM powerloop.sends AS x
 WHERE x.status = 'waiting'
   AND NOT EXISTS (
       SELECT 1 FROM powerloop.tool_calls AS c WHERE c.send_id = x.id AND c.status IN ('waiting', 'in_doubt')
   )
 ORDER BY 1, 2
 LIMIT :limit
