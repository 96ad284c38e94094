-- Calls that the transcript asks for and the journal does not have, or the other way round.
WITH asked AS (
    SELECT m.session_id, m.send_id, b.value ->> 'id' AS call
      FROM powerloop.messages AS m, jsonb_array_elements(m.content) AS b (value)
     WHERE m.role = 'assistant' AND b.value ->> 'type' = 'tool_call'
)
SELECT a.session_id AS session, a.send_id AS send, a.call, 'transcript' AS found_in
  FROM asked AS a
  LEFT JOIN powerloop.tool_calls AS c ON c.send_id = a.send_id AND c.id = a.call
 WHERE c.id IS NULL
 UNION ALL
SELECT c.session_id, c.send_id, c.id, 'journal'
  FROM powerloop.tool_calls AS c
  LEFT JOIN asked AS a ON a.send_id = c.send_id AND a.call = c.id
 WHERE a.call IS NULL
 ORDER BY 1, 2, 3
 LIMIT :limit
