-- Budgets that have counted less than the ledger has of their tree: of the send itself, and of the sub-agents and
-- the leaves that are charged to it. A session that was deleted took its part of the ledger with it.
SELECT b.send_id AS send, b.input_tokens, sum(l.input_tokens) AS ledger_input_tokens,
       b.output_tokens, sum(l.output_tokens) AS ledger_output_tokens,
       b.cost, sum(coalesce(l.cost, 0)) AS ledger_cost
  FROM (
      SELECT o.send_id AS budget_id, o.send_id FROM powerloop.budgets AS o
       UNION ALL
      SELECT b.value, x.id
        FROM powerloop.sends AS x, jsonb_array_elements_text(x.lineage -> 'budgets') AS b (value)
  ) AS t
  JOIN powerloop.budgets AS b ON b.send_id = t.budget_id
  JOIN powerloop.model_calls AS l ON l.send_id = t.send_id AND l.created_at >= b.opened_at
 GROUP BY b.send_id, b.input_tokens, b.output_tokens, b.cost
HAVING sum(l.input_tokens) > b.input_tokens
    OR sum(l.output_tokens) > b.output_tokens
    OR sum(coalesce(l.cost, 0)) > b.cost
 ORDER BY 1
 LIMIT :limit
