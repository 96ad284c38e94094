-- Messages that bear a lower epoch than the one before them, or a higher one than their session.
SELECT m.session_id AS session, m.seq, m.send_id AS send, m.epoch, m.epoch_before, m.session_epoch
  FROM (
       SELECT l.session_id, l.seq, l.send_id, l.epoch, s.epoch AS session_epoch,
              lag(l.epoch) OVER (PARTITION BY l.session_id ORDER BY l.seq) AS epoch_before
         FROM powerloop.messages AS l
         JOIN powerloop.sessions AS s ON s.id = l.session_id
  ) AS m
 WHERE m.epoch < m.epoch_before OR m.epoch > m.session_epoch
 ORDER BY 1, 2
 LIMIT :limit
