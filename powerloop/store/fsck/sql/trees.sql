-- Trees that have more sub-agents than any of their parents may have started. A leaf of a run is the root of its
-- own tree, and none of its sub-agents.
SELECT x.root_id AS root, count(*) AS sub_agents,
       max(CAST(x.lineage -> 'limits' ->> 'total' AS integer)) AS allowed
  FROM powerloop.sends AS x
 WHERE x.root_id <> x.id
 GROUP BY x.root_id
HAVING count(*) > max(CAST(x.lineage -> 'limits' ->> 'total' AS integer))
 ORDER BY 1
 LIMIT :limit
