-- Sends that wait for nothing: no call of theirs has a question that is open.
SELECT x.session_id AS session, x.id AS send, x.rounds
  FROM powerloop.sends AS x
 WHERE x.status = 'waiting'
   AND NOT EXISTS (
       SELECT 1
         FROM powerloop.tool_calls AS c
         JOIN powerloop.interactions AS i ON i.send_id = c.send_id AND i.call_id = c.id
        WHERE c.send_id = x.id AND c.status IN ('waiting', 'in_doubt') AND i.status = 'open'
   )
 ORDER BY 1, 2
 LIMIT :limit
