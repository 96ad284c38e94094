-- Commit B: how calls ended, and the message that tells the model. Without a row, the fence did not hold.
--
-- READ COMMITTED: the locks are those of commit_model.sql. A call that has ended stays as it is.
WITH held AS (
    SELECT s.id FROM powerloop.sessions AS s
     WHERE s.id = %(session_id)s AND s.epoch = %(epoch)s
       FOR NO KEY UPDATE
), mine AS (
    UPDATE powerloop.sends AS x
       SET strikes = 0
      FROM held
     WHERE x.id = %(send_id)s AND x.session_id = held.id AND x.status = 'running'
    RETURNING x.id, x.session_id, x.cancel_requested_at IS NOT NULL AS cancel_requested
), moved AS (
    UPDATE powerloop.sessions AS s
       SET seq = s.seq + json_array_length(%(messages)s::json),
           updated_at = clock_timestamp()
      FROM mine
     WHERE s.id = mine.session_id
    RETURNING s.seq, s.steering > 0 AS steering
), logged AS (
    INSERT INTO powerloop.messages (session_id, seq, role, content, send_id, epoch, metadata, created_at)
    SELECT mine.session_id, moved.seq - json_array_length(%(messages)s::json) + m.place,
           m.message ->> 'role', m.message -> 'content', mine.id, %(epoch)s, m.message -> 'metadata',
           clock_timestamp()
      FROM mine CROSS JOIN moved
     CROSS JOIN json_array_elements(%(messages)s::json) WITH ORDINALITY AS m (message, place)
), ended AS (
    UPDATE powerloop.tool_calls AS c
       SET status = o.status,
           result = o.result,
           full_result = o.full_result,
           ended_at = clock_timestamp()
      FROM mine
     CROSS JOIN json_to_recordset(%(outcomes)s::json)
        AS o (id text, status text, result text, full_result text)
     WHERE c.send_id = mine.id AND c.id = o.id AND c.ended_at IS NULL
)
SELECT moved.seq, moved.steering, mine.cancel_requested FROM moved CROSS JOIN mine
