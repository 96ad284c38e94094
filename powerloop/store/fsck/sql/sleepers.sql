-- Calls that sleep though their time came half a minute ago: asked only of a system at rest, where a beat runs.
SELECT c.session_id AS session, c.send_id AS send, c.round, c.call_index, c.id AS call, c.wakes_at
  FROM powerloop.tool_calls AS c
 WHERE c.status = 'waiting' AND c.wakes_at < :moment_ago
 ORDER BY 1, 2, 3, 4
 LIMIT :limit
