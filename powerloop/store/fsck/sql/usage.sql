-- Sends whose tokens are not the sum of their ledger.
SELECT x.session_id AS session, x.id AS send,
       x.input_tokens, coalesce(sum(l.input_tokens), 0) AS ledger_input_tokens,
       x.output_tokens, coalesce(sum(l.output_tokens), 0) AS ledger_output_tokens
  FROM powerloop.sends AS x
  LEFT JOIN powerloop.model_calls AS l ON l.send_id = x.id
 GROUP BY x.id
HAVING coalesce(sum(l.input_tokens), 0) <> x.input_tokens
    OR coalesce(sum(l.output_tokens), 0) <> x.output_tokens
    OR coalesce(sum(l.cached_tokens), 0) <> x.cached_tokens
    OR coalesce(sum(l.cache_write_tokens), 0) <> x.cache_write_tokens
    OR coalesce(sum(l.reasoning_tokens), 0) <> x.reasoning_tokens
 ORDER BY 1, 2
 LIMIT :limit
