-- Leaves that run though their send has ended, and leaves that have landed though it has not. The send of a leaf
-- goes by the id of its node, and its end marks the node.
SELECT n.run_id AS run, n.path, n.id AS send, n.status, k.status AS send_status
  FROM powerloop.workflow_nodes AS n
  LEFT JOIN powerloop.sends AS k ON k.id = n.id
 WHERE n.status = 'running' AND n.send_id IS NOT NULL AND (k.id IS NULL OR k.ended_at IS NOT NULL)
    OR n.status = 'landed' AND (k.id IS NULL OR k.ended_at IS NULL)
 ORDER BY 1, 2
 LIMIT :limit
