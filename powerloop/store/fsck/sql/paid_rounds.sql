-- Sends whose ledger does not have one model call that succeeded for each round. Runs and the tool calls of their
-- leaves have rounds that no model makes; the one round of a leaf in a process of its own bears all calls made there.
SELECT x.session_id AS session, x.id AS send, x.rounds, count(l.id) AS paid, max(l.round) AS last_paid
  FROM powerloop.sends AS x
  JOIN powerloop.sessions AS s ON s.id = x.session_id
  LEFT JOIN powerloop.model_calls AS l
    ON l.send_id = x.id AND l.outcome = 'ok' AND l.purpose = 'round'
 WHERE s.agent NOT LIKE 'powerloop.%' AND coalesce(s.spec ->> 'model', '') NOT LIKE 'direct:%'
   AND coalesce(s.spec ->> 'isolation', '') <> 'process'
 GROUP BY x.id
HAVING count(l.id) <> x.rounds
    OR count(DISTINCT l.round) <> x.rounds
    OR coalesce(max(l.round), 0) <> x.rounds
 ORDER BY 1, 2
 LIMIT :limit
