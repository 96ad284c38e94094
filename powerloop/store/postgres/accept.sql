-- Accept a send: count it on its session, and write it at the place that the count gives.
--
-- READ COMMITTED. Racing accepts queue at the session's row. One that waited there has its WHERE judged again
-- on the row as it stands then (still open? still idle?), so each sees the count of the one before it: places
-- are gapless, and exactly one finds itself next after the last that has finished.
--
-- The sub-selects on sends see the statement's snapshot only: a twin that committed while we waited is
-- invisible to them. Then the unique keys refuse our row, and the count is undone with it; the caller reads
-- the twin.
--
-- What a busy session does with a send that is not to wait for its turn is not done here: then, as with all
-- that is refused, nothing is written, and the caller accepts it in a transaction.
--
-- clock_timestamp() is asked under the lock, so the order in time within a session is the order of places.
WITH counted AS (
    UPDATE powerloop.sessions AS s
       SET accepted = s.accepted + 1,
           updated_at = clock_timestamp()
     WHERE s.id = %(session_id)s
       AND s.status = 'open'
       AND (coalesce(%(policy)s, s.policy) = 'enqueue' OR s.accepted = s.finished)
       AND NOT EXISTS (SELECT FROM powerloop.sends AS x WHERE x.id = %(id)s)
       AND NOT EXISTS (
           SELECT FROM powerloop.sends AS x
            WHERE x.session_id = %(session_id)s AND x.idempotency_key = %(idempotency_key)s
       )
    RETURNING s.agent, s.spec, coalesce(%(policy)s, s.policy) AS policy, s.accepted AS position,
              s.accepted = s.finished + 1 AS is_head
), added AS (
    INSERT INTO powerloop.sends (
        id, session_id, position, status, policy, content, idempotency_key, priority, metadata,
        attempt, strikes, dispatches, epoch, rounds,
        input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, output,
        created_at, dispatched_at, budget
    )
    SELECT %(id)s, %(session_id)s, counted.position, 'queued', counted.policy, %(content)s::jsonb,
           %(idempotency_key)s, %(priority)s, %(metadata)s::jsonb,
           0, 0, CASE WHEN counted.is_head THEN 1 ELSE 0 END, 0, 0,
           0, 0, 0, 0, 0, '[]',
           clock_timestamp(), CASE WHEN counted.is_head THEN clock_timestamp() END, %(budget)s::jsonb
      FROM counted
    RETURNING *
)
SELECT added.id, added.session_id, counted.agent, added.position, added.status, added.policy, added.content,
       added.idempotency_key, added.priority, added.metadata, added.attempt, added.strikes, added.epoch,
       added.owner, added.rounds, added.input_tokens, added.output_tokens, added.cached_tokens,
       added.cache_write_tokens, added.reasoning_tokens, added.stop_reason, added.error_code,
       added.error_message, added.cancel_requested_at, added.cancel_reason, added.cancel_actor, added.output,
       added.created_at, added.dispatched_at, added.started_at, added.ended_at, added.lineage, counted.spec,
       added.budget, counted.is_head
  FROM added CROSS JOIN counted
