-- Let a send wait for people. Without a row, the fence did not hold.
--
-- READ COMMITTED: the locks are those of commit_model.sql. `mine` reads the send on its latest version; one
-- whose end was asked for does not wait: then nothing is written, and cancel_requested says so. The tool and
-- the arguments of an interaction are those of its call.
WITH held AS (
    SELECT s.id, s.seq FROM powerloop.sessions AS s
     WHERE s.id = %(session_id)s AND s.epoch = %(epoch)s
       FOR NO KEY UPDATE
), mine AS (
    SELECT x.id, held.seq, x.cancel_requested_at IS NOT NULL AS cancel_requested
      FROM powerloop.sends AS x
      JOIN held ON held.id = x.session_id
     WHERE x.id = %(send_id)s AND x.status = 'running'
       FOR NO KEY UPDATE OF x
), suspended AS (
    UPDATE powerloop.sends AS x
       SET status = 'waiting',
           strikes = 0
      FROM mine
     WHERE x.id = mine.id AND NOT mine.cancel_requested
    RETURNING x.id, x.session_id
), doubted AS (
    UPDATE powerloop.tool_calls AS c
       SET status = 'in_doubt'
      FROM suspended
     CROSS JOIN json_to_recordset(%(interactions)s::json)
        AS i (id text, kind text, call_id text, prompt text)
     WHERE c.send_id = suspended.id AND c.id = i.call_id AND c.ended_at IS NULL
    RETURNING c.send_id, c.session_id, c.name, c.arguments, i.id, i.kind, i.call_id, i.prompt
), asked AS (
    INSERT INTO powerloop.interactions (
        id, kind, status, session_id, send_id, call_id, tool, arguments, prompt, actor, created_at
    )
    SELECT doubted.id, doubted.kind, 'open', doubted.session_id, doubted.send_id, doubted.call_id,
           doubted.name, doubted.arguments, doubted.prompt, '', clock_timestamp()
      FROM doubted
)
SELECT mine.seq, mine.cancel_requested FROM mine
