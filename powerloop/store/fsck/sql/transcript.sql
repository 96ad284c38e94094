-- Calls without exactly one result in the next message, and results of calls that the message before did not
-- ask for. The last message of a send that has not ended may ask: its results are being fetched.
WITH asked AS (
    SELECT m.session_id, m.seq, m.send_id, b.value ->> 'id' AS call
      FROM powerloop.messages AS m, jsonb_array_elements(m.content) AS b (value)
     WHERE m.role = 'assistant' AND b.value ->> 'type' = 'tool_call'
), told AS (
    SELECT m.session_id, m.seq, m.send_id, b.value ->> 'call_id' AS call, count(*) AS results
      FROM powerloop.messages AS m, jsonb_array_elements(m.content) AS b (value)
     WHERE m.role = 'tool' AND b.value ->> 'type' = 'tool_result'
     GROUP BY 1, 2, 3, 4
)
SELECT a.session_id AS session, a.seq, a.send_id AS send, a.call, coalesce(t.results, 0) AS results
  FROM asked AS a
  JOIN powerloop.sessions AS s ON s.id = a.session_id
  JOIN powerloop.sends AS x ON x.id = a.send_id
  LEFT JOIN told AS t ON t.session_id = a.session_id AND t.seq = a.seq + 1 AND t.call = a.call
 WHERE coalesce(t.results, 0) <> 1
   AND NOT (x.ended_at IS NULL AND a.seq = s.seq)
 UNION ALL
SELECT t.session_id, t.seq, t.send_id, t.call, t.results
  FROM told AS t
  LEFT JOIN asked AS a ON a.session_id = t.session_id AND a.seq = t.seq - 1 AND a.call = t.call
 WHERE a.seq IS NULL
 ORDER BY 1, 2, 4
 LIMIT :limit
