-- Messages of a send that stand after messages of a later one.
SELECT m.session_id AS session, m.seq, m.send_id AS send, m.position, m.position_before
  FROM (
       SELECT l.session_id, l.seq, l.send_id, x.position,
              lag(x.position) OVER (PARTITION BY l.session_id ORDER BY l.seq) AS position_before
         FROM powerloop.messages AS l
         JOIN powerloop.sends AS x ON x.id = l.send_id
  ) AS m
 WHERE m.position < m.position_before
 ORDER BY 1, 2
 LIMIT :limit
