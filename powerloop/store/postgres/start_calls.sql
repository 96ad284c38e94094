-- pending → running, before calls run that must not run twice. Without a row, the fence did not hold.
--
-- READ COMMITTED: the locks are those of commit_model.sql; nothing of the session or the send itself changes.
WITH held AS (
    SELECT s.id FROM powerloop.sessions AS s
     WHERE s.id = %(session_id)s AND s.epoch = %(epoch)s
       FOR NO KEY UPDATE
), mine AS (
    SELECT x.id
      FROM powerloop.sends AS x
      JOIN held ON held.id = x.session_id
     WHERE x.id = %(send_id)s AND x.status = 'running'
       FOR NO KEY UPDATE OF x
), started AS (
    UPDATE powerloop.tool_calls AS c
       SET status = 'running',
           started_at = clock_timestamp()
      FROM mine
     WHERE c.send_id = mine.id AND c.id = ANY(%(call_ids)s) AND c.status = 'pending'
)
SELECT mine.id FROM mine
