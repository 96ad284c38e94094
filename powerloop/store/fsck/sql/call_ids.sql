-- Calls of one send under one id: the outside world would take them for the same.
SELECT c.session_id AS session, c.send_id AS send, c.id AS call, count(*) AS calls
  FROM powerloop.tool_calls AS c
 GROUP BY c.session_id, c.send_id, c.id
HAVING count(*) > 1
 ORDER BY 1, 2, 3
 LIMIT :limit
