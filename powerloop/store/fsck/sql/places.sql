-- Sessions whose sends are not as many as were accepted, at places 1, 2, 3 …, or have not all ended up to
-- `finished`. Accepts and ends change the counters in the statement that changes the send.
SELECT s.id AS session, s.accepted, s.finished, count(x.id) AS sends, max(x.position) AS last_place,
       sum(CASE WHEN x.position <= s.finished AND x.ended_at IS NULL THEN 1 ELSE 0 END) AS not_ended
  FROM powerloop.sessions AS s
  LEFT JOIN powerloop.sends AS x ON x.session_id = s.id
 GROUP BY s.id
HAVING count(x.id) <> s.accepted
    OR count(DISTINCT x.position) <> s.accepted
    OR coalesce(max(x.position), 0) <> s.accepted
    OR sum(CASE WHEN x.position <= s.finished AND x.ended_at IS NULL THEN 1 ELSE 0 END) > 0
 ORDER BY 1
 LIMIT :limit
