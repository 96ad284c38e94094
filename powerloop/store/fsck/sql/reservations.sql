-- What is reserved for model calls of sends that make none any more.
SELECT x.session_id AS session, x.id AS send, x.status, v.budget_id AS budget, v.output_tokens
  FROM powerloop.reservations AS v
  JOIN powerloop.sends AS x ON x.id = v.send_id
 WHERE x.ended_at IS NOT NULL OR x.status = 'waiting'
 ORDER BY 1, 2, 4
 LIMIT :limit
