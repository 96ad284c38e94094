-- Open nodes whose counters are not what those in them tell: how many have begun, have ended, came to a value, and
-- failed without leave. One that has fallen back counts no more, and neither does one that has ended: what ends in
-- it afterwards came too late.
SELECT n.run_id AS run, n.path, n.begun, count(m.id) AS members,
       n.ended, sum(CASE WHEN m.ended_at IS NOT NULL THEN 1 ELSE 0 END) AS members_ended,
       n.done, sum(CASE WHEN m.status = 'done' THEN 1 ELSE 0 END) AS members_done,
       n.bad, sum(CASE WHEN m.status IN ('failed', 'cancelled') AND NOT m.tolerated THEN 1 ELSE 0 END) AS members_bad
  FROM powerloop.workflow_nodes AS n
  LEFT JOIN powerloop.workflow_nodes AS m ON m.parent_id = n.id AND m.current AND m.place >= 0
 WHERE n.status = 'open' AND n.opened IS NOT NULL AND NOT n.fell_back
 GROUP BY n.id
HAVING count(m.id) <> n.begun
    OR sum(CASE WHEN m.ended_at IS NOT NULL THEN 1 ELSE 0 END) <> n.ended
    OR sum(CASE WHEN m.status = 'done' THEN 1 ELSE 0 END) <> n.done
    OR sum(CASE WHEN m.status IN ('failed', 'cancelled') AND NOT m.tolerated THEN 1 ELSE 0 END) <> n.bad
 ORDER BY 1, 2
 LIMIT :limit
