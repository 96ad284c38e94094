-- The send of an id.
SELECT x.id, x.session_id, s.agent, x.position, x.status, x.policy, x.content, x.idempotency_key, x.priority,
       x.metadata, x.attempt, x.strikes, x.epoch, x.owner, x.rounds, x.input_tokens, x.output_tokens,
       x.cached_tokens, x.cache_write_tokens, x.reasoning_tokens, x.stop_reason, x.error_code,
       x.error_message, x.cancel_requested_at, x.cancel_reason, x.cancel_actor, x.output, x.created_at,
       x.dispatched_at, x.started_at, x.ended_at, x.lineage, s.spec, x.budget
  FROM powerloop.sends AS x
  JOIN powerloop.sessions AS s ON s.id = x.session_id
 WHERE x.id = %(id)s
