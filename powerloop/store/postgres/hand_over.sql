-- Give a running send back, its attempt and its strike too. Without a row, the fence did not hold.
--
-- READ COMMITTED: the locks are those of commit_model.sql. The epoch stays: the next claim raises it, and
-- until then the send is not running, which refuses every other write of the old fence.
WITH held AS (
    SELECT s.id, s.agent, s.spec FROM powerloop.sessions AS s
     WHERE s.id = %(session_id)s AND s.epoch = %(epoch)s
       FOR NO KEY UPDATE
), given AS (
    UPDATE powerloop.sends AS x
       SET status = 'queued',
           attempt = x.attempt - 1,
           strikes = greatest(x.strikes - 1, 0),
           owner = NULL,
           dispatched_at = clock_timestamp(),
           dispatches = x.dispatches + 1
      FROM held
     WHERE x.id = %(send_id)s AND x.session_id = held.id AND x.status = 'running'
    RETURNING x.*
)
SELECT given.id, given.session_id, held.agent, given.position, given.status, given.policy, given.content,
       given.idempotency_key, given.priority, given.metadata, given.attempt, given.strikes, given.epoch,
       given.owner, given.rounds, given.input_tokens, given.output_tokens, given.cached_tokens,
       given.cache_write_tokens, given.reasoning_tokens, given.stop_reason, given.error_code,
       given.error_message, given.cancel_requested_at, given.cancel_reason, given.cancel_actor, given.output,
       given.created_at, given.dispatched_at, given.started_at, given.ended_at, given.lineage, held.spec,
       given.budget
  FROM given CROSS JOIN held
