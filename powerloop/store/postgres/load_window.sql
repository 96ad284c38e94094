-- The messages that the model is to see.
SELECT m.seq, m.role, m.content, m.send_id, m.epoch, m.metadata, m.created_at
  FROM powerloop.messages AS m
 WHERE m.session_id = %(session_id)s
 ORDER BY m.seq
