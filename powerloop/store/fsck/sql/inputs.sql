-- Sends that were claimed, and whose input does not stand in the log where they say.
SELECT x.session_id AS session, x.id AS send, x.input_seq, m.role, m.send_id AS found_send
  FROM powerloop.sends AS x
  LEFT JOIN powerloop.messages AS m ON m.session_id = x.session_id AND m.seq = x.input_seq
 WHERE x.started_at IS NOT NULL
   AND (m.seq IS NULL OR m.role <> 'user' OR m.send_id <> x.id)
 ORDER BY 1, 2
 LIMIT :limit
