-- Sessions whose log is not 1, 2, 3 … up to `seq`.
SELECT s.id AS session, s.seq, count(m.seq) AS messages, max(m.seq) AS last_seq
  FROM powerloop.sessions AS s
  LEFT JOIN powerloop.messages AS m ON m.session_id = s.id
 GROUP BY s.id
HAVING count(m.seq) <> s.seq OR coalesce(max(m.seq), 0) <> s.seq OR coalesce(min(m.seq), 1) <> 1
 ORDER BY 1
 LIMIT :limit
