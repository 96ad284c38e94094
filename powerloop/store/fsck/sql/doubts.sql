-- Calls in doubt that nobody is asked about though their send waits for them; and calls written down as running
-- that may be run again anyway, which no code writes.
SELECT c.session_id AS session, c.send_id AS send, c.round, c.call_index, c.id AS call, c.effect, c.status
  FROM powerloop.tool_calls AS c
  JOIN powerloop.sends AS x ON x.id = c.send_id
 WHERE c.status IN ('running', 'in_doubt') AND c.effect <> 'once'
    OR c.status = 'in_doubt'
       AND x.status = 'waiting'
       AND NOT EXISTS (
           SELECT 1 FROM powerloop.interactions AS i
            WHERE i.send_id = c.send_id AND i.call_id = c.id AND i.status = 'open'
       )
 ORDER BY 1, 2, 3, 4
 LIMIT :limit
