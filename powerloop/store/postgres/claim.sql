-- Claim a send: queued, or running under a dead owner or under the worker itself, to running under the
-- worker. Without a row, nothing was written.
--
-- READ COMMITTED. `held` locks the session and reads it as it stands under the lock. Everything that moves a
-- send takes that lock first, so from here on nothing of this session moves. The UPDATE of `claimed` finds
-- the send in the statement's snapshot, sees that a newer version was committed while we waited, and judges
-- its WHERE again on that one: a loser finds it running. `raised` hangs on `claimed`: no send, no new epoch.
--
-- Leases are read from the snapshot, and so compared with now(), the time of the snapshot: a lease that was
-- renewed while we waited does not look run out. An owner that took over while we waited may not be in the
-- snapshot at all; then the epoch under the lock is not the epoch of the snapshot (`before`), and we do not
-- take from it.
--
-- The first claim puts the input into the log. input_seq tells: it is set once, and is the new end of the log
-- just then.
--
-- `early` is a cancel that came before the send was accepted. It was committed before whoever cancelled
-- looked for the send once more and did not find it, so before the accept was: our snapshot, later than both,
-- has it.
WITH before AS (
    SELECT s.epoch FROM powerloop.sessions AS s WHERE s.id = %(session_id)s
), early AS (
    SELECT e.reason, e.actor, e.requested_at FROM powerloop.early_cancels AS e WHERE e.send_id = %(id)s
), held AS (
    SELECT s.id, s.agent, s.spec, s.epoch, s.seq, s.finished, s.paused_at
      FROM powerloop.sessions AS s
     WHERE s.id = %(session_id)s
       FOR NO KEY UPDATE
), claimed AS (
    UPDATE powerloop.sends AS x
       SET status = 'running',
           owner = %(worker)s,
           attempt = x.attempt + 1,
           strikes = x.strikes
                   + CASE WHEN x.status = 'running' AND x.owner = %(worker)s THEN 0 ELSE 1 END,
           cancel_requested_at = coalesce(x.cancel_requested_at, (SELECT early.requested_at FROM early)),
           cancel_reason = coalesce(x.cancel_reason, (SELECT early.reason FROM early)),
           cancel_actor = coalesce(x.cancel_actor, (SELECT early.actor FROM early)),
           epoch = held.epoch + 1,
           started_at = coalesce(x.started_at, clock_timestamp()),
           input_seq = coalesce(x.input_seq, held.seq + 1)
      FROM held
     WHERE x.id = %(id)s
       AND x.session_id = held.id
       AND x.position = held.finished + 1
       AND (
           held.paused_at IS NULL
           OR x.cancel_requested_at IS NOT NULL
           OR EXISTS (SELECT FROM early)
           OR x.status = 'running' AND x.owner = %(worker)s
       )
       AND (
           x.status = 'queued'
           OR x.status = 'running' AND x.owner = %(worker)s
           OR x.status = 'running'
              AND held.epoch = (SELECT before.epoch FROM before)
              AND NOT EXISTS (
                  SELECT FROM powerloop.worker_leases AS l WHERE l.id = x.owner AND l.expires_at > now()
              )
       )
    RETURNING x.*, held.agent, held.spec, x.input_seq = held.seq + 1 AS is_first
), raised AS (
    UPDATE powerloop.sessions AS s
       SET epoch = claimed.epoch,
           seq = greatest(s.seq, claimed.input_seq),
           updated_at = clock_timestamp()
      FROM claimed
     WHERE s.id = claimed.session_id
    RETURNING s.seq, s.steering > 0 AS steering
), logged AS (
    INSERT INTO powerloop.messages (session_id, seq, role, content, send_id, epoch, metadata, created_at)
    SELECT claimed.session_id, claimed.input_seq, 'user', claimed.content, claimed.id, claimed.epoch, '{}',
           clock_timestamp()
      FROM claimed
     WHERE claimed.is_first
)
SELECT claimed.id, claimed.session_id, claimed.agent, claimed.position, claimed.status, claimed.policy,
       claimed.content, claimed.idempotency_key, claimed.priority, claimed.metadata, claimed.attempt,
       claimed.strikes, claimed.epoch, claimed.owner, claimed.rounds, claimed.input_tokens,
       claimed.output_tokens, claimed.cached_tokens, claimed.cache_write_tokens, claimed.reasoning_tokens,
       claimed.stop_reason, claimed.error_code, claimed.error_message, claimed.cancel_requested_at,
       claimed.cancel_reason, claimed.cancel_actor, claimed.output, claimed.created_at, claimed.dispatched_at,
       claimed.started_at, claimed.ended_at, claimed.lineage, claimed.spec, claimed.budget, raised.seq,
       raised.steering
  FROM claimed CROSS JOIN raised
