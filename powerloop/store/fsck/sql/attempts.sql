-- Places with two attempts that are the last; attempts that are followed by another, themselves or those that they
-- are in, and go on; and attempts that are called the last in one that is not.
SELECT n.run_id AS run, n.path, n.attempt, n.status, p.attempt AS parent_attempt, 1 AS attempts
  FROM powerloop.workflow_nodes AS n
  LEFT JOIN powerloop.workflow_nodes AS p ON p.id = n.parent_id
 WHERE NOT n.current AND n.ended_at IS NULL
    OR n.current AND NOT p.current
 UNION ALL
SELECT n.run_id, min(n.path), max(n.attempt), NULL, NULL, count(*)
  FROM powerloop.workflow_nodes AS n
 WHERE n.current
 GROUP BY n.run_id, coalesce(n.parent_id, ''), n.place
HAVING count(*) > 1
 ORDER BY 1, 2, 3
 LIMIT :limit
