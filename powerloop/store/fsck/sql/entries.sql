-- Fan-outs that are done with a value that does not have one entry for each of their members. The value of one that
-- fell back stands elsewhere, and one that somebody passed over has the value that was given.
SELECT n.run_id AS run, n.path, n.type, n.total, jsonb_typeof(n.value) AS value_type,
       CASE jsonb_typeof(n.value)
           WHEN 'array' THEN jsonb_array_length(n.value)
           WHEN 'object' THEN (SELECT count(*) FROM jsonb_object_keys(n.value))
       END AS entries
  FROM powerloop.workflow_nodes AS n
  JOIN powerloop.workflow_runs AS r ON r.id = n.run_id
 WHERE n.status = 'done' AND n.type IN ('parallel', 'foreach') AND n.value_id IS NULL
   AND n.total <> CASE
           WHEN n.type = 'foreach' AND jsonb_typeof(n.value) = 'array' THEN jsonb_array_length(n.value)
           WHEN n.type = 'parallel' AND jsonb_typeof(n.value) = 'object'
           THEN (SELECT count(*) FROM jsonb_object_keys(n.value))
           ELSE -1
       END
   AND NOT EXISTS (
       SELECT 1 FROM powerloop.workflow_inbox AS i WHERE i.run_id = n.run_id AND i.path = n.path
   )
   AND NOT EXISTS (
       SELECT 1 FROM powerloop.tool_calls AS c
        WHERE c.session_id = r.session_id AND c.arguments ->> 'path' = n.path
   )
 ORDER BY 1, 2
 LIMIT :limit
