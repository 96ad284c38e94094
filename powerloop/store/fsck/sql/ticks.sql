-- Ticks of timers that made more than one send. A session refuses a second one by its key; with a fresh session per
-- tick nothing but the timer's own row does.
SELECT k.idempotency_key AS tick, count(*) AS sends, min(k.id) AS first, max(k.id) AS last
  FROM powerloop.sends AS k
 WHERE substr(k.idempotency_key, 1, 6) = 'timer:'
 GROUP BY k.idempotency_key
HAVING count(*) > 1
 ORDER BY 1
 LIMIT :limit
