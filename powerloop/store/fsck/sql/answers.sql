-- Sends whose log does not have one message of the model for each round. What a cancel cut off is no round.
SELECT x.session_id AS session, x.id AS send, x.rounds, count(m.seq) AS answers
  FROM powerloop.sends AS x
  LEFT JOIN powerloop.messages AS m
    ON m.send_id = x.id AND m.role = 'assistant' AND coalesce(m.metadata ->> 'finish', '') <> 'cancelled'
 GROUP BY x.id
HAVING count(m.seq) <> x.rounds
 ORDER BY 1, 2
 LIMIT :limit
