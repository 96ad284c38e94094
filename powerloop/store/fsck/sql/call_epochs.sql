-- Tool calls that bear a lower epoch than the one before them, or a higher one than the last claim of their
-- send; and sends that bear a higher one than their session.
SELECT c.session_id AS session, c.send_id AS send, c.round, c.call_index, c.epoch, c.epoch_before, c.highest
  FROM (
       SELECT o.session_id, o.send_id, o.round, o.call_index, o.epoch, x.epoch AS highest,
              lag(o.epoch) OVER (PARTITION BY o.send_id ORDER BY o.round, o.call_index) AS epoch_before
         FROM powerloop.tool_calls AS o
         JOIN powerloop.sends AS x ON x.id = o.send_id
        UNION ALL
       SELECT x.session_id, x.id, NULL, NULL, x.epoch, s.epoch, NULL
         FROM powerloop.sends AS x
         JOIN powerloop.sessions AS s ON s.id = x.session_id
  ) AS c
 WHERE c.epoch < c.epoch_before OR c.epoch > c.highest
 ORDER BY 1, 2, 3, 4
 LIMIT :limit
