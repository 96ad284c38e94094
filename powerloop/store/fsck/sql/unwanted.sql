-- Sends of leaves that nobody has asked to end, though their node ended half a minute ago without them. The sweeper
-- asks, so it is no fault while a beat is away.
SELECT n.run_id AS run, n.path, k.id AS send, n.status, k.status AS send_status, n.ended_at
  FROM powerloop.workflow_nodes AS n
  JOIN powerloop.sends AS k ON k.id = n.id
 WHERE n.ended_at < :moment_ago AND k.ended_at IS NULL AND k.cancel_requested_at IS NULL
 ORDER BY 1, 2
 LIMIT :limit
