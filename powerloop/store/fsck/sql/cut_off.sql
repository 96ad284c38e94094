-- Nodes that go on though what they are in has ended. Only the losers of a fan-out may finish, and in a run that
-- was cancelled not even those.
SELECT n.run_id AS run, n.path, n.status, p.type AS parent_type, p.status AS parent_status, r.status AS run_status
  FROM powerloop.workflow_nodes AS n
  JOIN powerloop.workflow_runs AS r ON r.id = n.run_id
  LEFT JOIN powerloop.workflow_nodes AS p ON p.id = n.parent_id
 WHERE n.ended_at IS NULL
   AND (
       r.status = 'cancelled'
       OR n.parent_id IS NULL AND r.ended_at IS NOT NULL
       OR p.ended_at IS NOT NULL
          AND (p.type NOT IN ('parallel', 'foreach') OR p.status = 'cancelled' OR n.place < 0)
   )
 ORDER BY 1, 2
 LIMIT :limit
