-- Commit A: the model's message, the calls it asks for, what it cost. Without a row, the fence did not hold.
--
-- READ COMMITTED. `held` checks the epoch and locks the session; `mine` judges the send on its latest
-- version, because whatever moves a send holds that lock. All else hangs on `mine`: no send of ours, nothing
-- is written.
WITH held AS (
    SELECT s.id FROM powerloop.sessions AS s
     WHERE s.id = %(session_id)s AND s.epoch = %(epoch)s
       FOR NO KEY UPDATE
), mine AS (
    UPDATE powerloop.sends AS x
       SET rounds = %(round)s,
           strikes = 0,
           input_tokens = x.input_tokens + %(input_tokens)s,
           output_tokens = x.output_tokens + %(output_tokens)s,
           cached_tokens = x.cached_tokens + %(cached_tokens)s,
           cache_write_tokens = x.cache_write_tokens + %(cache_write_tokens)s,
           reasoning_tokens = x.reasoning_tokens + %(reasoning_tokens)s
      FROM held
     WHERE x.id = %(send_id)s AND x.session_id = held.id AND x.status = 'running'
    RETURNING x.id, x.session_id, x.attempt, x.cancel_requested_at IS NOT NULL AS cancel_requested
), moved AS (
    UPDATE powerloop.sessions AS s
       SET seq = s.seq + 1,
           updated_at = clock_timestamp()
      FROM mine
     WHERE s.id = mine.session_id
    RETURNING s.seq, s.steering > 0 AS steering
), logged AS (
    INSERT INTO powerloop.messages (session_id, seq, role, content, send_id, epoch, metadata, created_at)
    SELECT mine.session_id, moved.seq, %(role)s, %(content)s::jsonb, mine.id, %(epoch)s, %(metadata)s::jsonb,
           clock_timestamp()
      FROM mine CROSS JOIN moved
), asked AS (
    INSERT INTO powerloop.tool_calls (
        send_id, round, call_index, id, session_id, name, arguments, effect, status, epoch, created_at
    )
    SELECT mine.id, %(round)s, c.call_index, c.id, mine.session_id, c.name, c.arguments, c.effect, 'pending',
           %(epoch)s, clock_timestamp()
      FROM mine
     CROSS JOIN json_to_recordset(%(calls)s::json)
        AS c (id text, name text, arguments jsonb, effect text, call_index integer)
), billed AS (
    INSERT INTO powerloop.model_calls (
        session_id, send_id, round, attempt, model, purpose, outcome, error_code, estimated,
        input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens,
        latency_ms, cost, created_at
    )
    SELECT mine.session_id, mine.id, %(round)s, mine.attempt, e.model, e.purpose, e.outcome, e.error_code,
           e.estimated, e.input_tokens, e.output_tokens, e.cached_tokens, e.cache_write_tokens,
           e.reasoning_tokens, e.latency_ms, e.cost, clock_timestamp()
      FROM mine
     CROSS JOIN json_populate_recordset(NULL::powerloop.model_calls, %(entries)s::json) AS e
)
SELECT moved.seq, moved.steering, mine.cancel_requested FROM moved CROSS JOIN mine
