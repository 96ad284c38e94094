-- Questions that are open though their send has ended.
SELECT i.session_id AS session, i.send_id AS send, i.id AS interaction, i.call_id AS call
  FROM powerloop.interactions AS i
  JOIN powerloop.sends AS x ON x.id = i.send_id
 WHERE i.status = 'open' AND x.ended_at IS NOT NULL
 ORDER BY 1, 2, 3
 LIMIT :limit
