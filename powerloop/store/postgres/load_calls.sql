-- The calls of the send's last round that has any.
SELECT c.id, c.send_id, c.round, c.call_index, c.name, c.arguments, c.effect, c.status, c.result,
       c.full_result, c.started_at, c.ended_at, c.approved, c.wakes_at
  FROM powerloop.tool_calls AS c
 WHERE c.send_id = %(send_id)s
   AND c.round = (SELECT max(last.round) FROM powerloop.tool_calls AS last WHERE last.send_id = %(send_id)s)
 ORDER BY c.call_index
