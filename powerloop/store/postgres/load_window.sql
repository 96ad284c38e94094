-- The messages that the model is to see.
SELECT m.seq, m.role, m.content, m.send_id, m.epoch, m.metadata, m.created_at
  FROM powerloop.messages AS m
  JOIN powerloop.sends AS x ON x.id = m.send_id
 WHERE m.session_id = %(session_id)s
   AND (NOT x.rolled_back OR x.id = %(send_id)s)
 ORDER BY m.seq
