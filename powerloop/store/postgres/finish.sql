-- End a send none of whose calls is open, and go on to the session's next one. Without a row, the fence did not
-- hold.
--
-- READ COMMITTED: the locks are those of commit_model.sql. `moved` reads both counters of the session's row
-- under its lock, and so does an accept: whichever comes second sees the other. Either the accept finds
-- itself next after `finished` and publishes, or `has_next` is true here and we do.
--
-- One instant for all of it: the order in which the parts of a statement run is not known, and the end of a
-- leaf may wait for the row of its node, which a step of its run has locked.
--
-- Sends behind this one may have been cancelled. `ahead` looks, in the statement's snapshot, for the first
-- that waits, and else for the last of all: what has ended in the snapshot stays ended, so `finished` may
-- move up to there. It looks no further than 100 places: queues may be long, and each finish would read all
-- of one. But a send that was accepted while we waited for the lock is not in the snapshot, and one that was
-- cancelled meanwhile still waits in it: `next`, which judges its newest version, passes it by. Then has_next
-- is true and next is null, and the caller moves the session on in a transaction of its own, which sees
-- everything.
WITH held AS (
    SELECT s.id FROM powerloop.sessions AS s
     WHERE s.id = %(session_id)s AND s.epoch = %(epoch)s
       FOR NO KEY UPDATE
), mine AS (
    UPDATE powerloop.sends AS x
       SET status = %(status)s,
           stop_reason = %(stop_reason)s,
           error_code = %(error_code)s,
           error_message = %(error_message)s,
           output = %(output)s::jsonb,
           rounds = %(rounds)s,
           input_tokens = x.input_tokens + %(input_tokens)s,
           output_tokens = x.output_tokens + %(output_tokens)s,
           cached_tokens = x.cached_tokens + %(cached_tokens)s,
           cache_write_tokens = x.cache_write_tokens + %(cache_write_tokens)s,
           reasoning_tokens = x.reasoning_tokens + %(reasoning_tokens)s,
           ended_at = clock_timestamp()
      FROM held
     WHERE x.id = %(send_id)s AND x.session_id = held.id AND x.status = 'running'
    RETURNING x.id, x.session_id, x.position, x.attempt, x.ended_at
), ahead AS (
    SELECT coalesce(
        (SELECT x.position - 1 FROM powerloop.sends AS x
          WHERE x.session_id = %(session_id)s
            AND x.position BETWEEN mine.position + 1 AND mine.position + 100
            AND x.status = 'queued'
          ORDER BY x.position LIMIT 1),
        (SELECT least(mine.position + 100, max(x.position)) FROM powerloop.sends AS x
          WHERE x.session_id = %(session_id)s)
    ) AS finished
      FROM mine
), moved AS (
    UPDATE powerloop.sessions AS s
       SET seq = s.seq + json_array_length(%(messages)s::json),
           finished = ahead.finished,
           updated_at = clock_timestamp()
      FROM mine CROSS JOIN ahead
     WHERE s.id = mine.session_id
    RETURNING s.agent, s.spec, s.seq, s.accepted, s.finished
), logged AS (
    INSERT INTO powerloop.messages (session_id, seq, role, content, send_id, epoch, metadata, created_at)
    SELECT mine.session_id, moved.seq - json_array_length(%(messages)s::json) + m.place,
           m.message ->> 'role', m.message -> 'content', mine.id, %(epoch)s, m.message -> 'metadata',
           mine.ended_at
      FROM mine CROSS JOIN moved
     CROSS JOIN json_array_elements(%(messages)s::json) WITH ORDINALITY AS m (message, place)
), billed AS (
    INSERT INTO powerloop.model_calls (
        session_id, send_id, round, attempt, model, purpose, outcome, error_code, estimated,
        input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens,
        latency_ms, cost, created_at
    )
    SELECT mine.session_id, mine.id, %(last_round)s, mine.attempt,
           e.model, e.purpose, e.outcome, e.error_code, e.estimated,
           e.input_tokens, e.output_tokens, e.cached_tokens, e.cache_write_tokens, e.reasoning_tokens,
           e.latency_ms, e.cost, mine.ended_at
      FROM mine
     CROSS JOIN json_populate_recordset(NULL::powerloop.model_calls, %(entries)s::json) AS e
), withdrawn AS (
    UPDATE powerloop.interactions AS i
       SET status = 'withdrawn',
           closed_at = clock_timestamp()
      FROM mine
     WHERE i.send_id = mine.id AND i.status = 'open'
), stopped AS (
    UPDATE powerloop.tool_tasks AS t
       SET status = 'cancelled',
           ended_at = clock_timestamp()
      FROM mine
     WHERE t.send_id = mine.id AND t.status IN ('queued', 'running')
), landed AS (
    UPDATE powerloop.workflow_nodes AS n
       SET status = 'landed'
      FROM mine
     WHERE n.id = %(node_id)s AND n.status = 'running'
    RETURNING n.run_id
), next AS (
    UPDATE powerloop.sends AS x
       SET dispatched_at = clock_timestamp(),
           dispatches = x.dispatches + 1
      FROM moved
     WHERE x.session_id = %(session_id)s AND x.position = moved.finished + 1 AND x.status = 'queued'
    RETURNING x.*
)
SELECT moved.seq AS last_seq, moved.accepted > moved.finished AS has_next, next.id, next.session_id,
       moved.agent, next.position, next.status, next.policy, next.content, next.idempotency_key,
       next.priority, next.metadata, next.attempt, next.strikes, next.epoch, next.owner, next.rounds,
       next.input_tokens, next.output_tokens, next.cached_tokens, next.cache_write_tokens,
       next.reasoning_tokens, next.stop_reason, next.error_code, next.error_message, next.cancel_requested_at,
       next.cancel_reason, next.cancel_actor, next.output, next.created_at, next.dispatched_at,
       next.started_at, next.ended_at, next.lineage, moved.spec, next.budget,
       (SELECT landed.run_id FROM landed) AS landed_run
  FROM moved LEFT JOIN next ON true
