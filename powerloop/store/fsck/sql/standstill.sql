-- Sessions that stand at a send that has ended. For a moment they may: a send behind was cancelled while the
-- one before it finished, and the session is moved on in a second transaction.
SELECT s.id AS session, x.id AS send, x.position, x.status, x.ended_at
  FROM powerloop.sessions AS s
  JOIN powerloop.sends AS x ON x.session_id = s.id AND x.position = s.finished + 1
 WHERE x.ended_at < :moment_ago AND s.updated_at < :moment_ago
 ORDER BY 1
 LIMIT :limit
