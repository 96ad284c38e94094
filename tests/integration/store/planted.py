"""Ways to break each promise of the store, behind its back. Names of tables are without their schema."""

#: For each check, what breaks the promise, and what a row of the report must say.
PLANTED = [
    ("places", "UPDATE sessions SET accepted = 7 WHERE id = 'talk'", {"session": "talk", "sends": 5}),
    (
        "places",
        (
            "ALTER TABLE sends DROP CONSTRAINT uq_sends_session_id_position; "
            "UPDATE sends SET position = 4 WHERE id = 'stopped'"
        ),
        {"session": "talk"},
    ),
    ("places", "UPDATE sessions SET finished = 4 WHERE id = 'talk'", {"session": "talk", "not_ended": 1}),
    (
        "standstill",
        (
            "UPDATE sends SET status = 'completed', stop_reason = 'end_turn', "
            "ended_at = now() - interval '1 h' WHERE id = 'head'; "
            "UPDATE sessions SET updated_at = now() - interval '1 h' WHERE id = 'line'"
        ),
        {"session": "line", "send": "head"},
    ),
    ("turns", "UPDATE sends SET dispatched_at = now() WHERE id = 'behind'", {"send": "behind"}),
    (
        "turns",
        "DROP INDEX uq_sends_held; UPDATE sends SET status = 'running', owner = 'x' WHERE id = 'behind'",
        {"session": "talk", "send": "behind"},
    ),
    (
        "waits",
        "UPDATE tool_calls SET status = 'done', result = 'x', ended_at = '2100-01-01' WHERE id = 'maybe'",
        {"send": "doubtful"},
    ),
    ("awaited", "UPDATE interactions SET status = 'withdrawn', closed_at = now()", {"send": "doubtful"}),
    ("awaited", "DELETE FROM tool_tasks WHERE id = 'task-run'", {"send": "patient", "call": "run"}),
    (
        "awaited",
        "UPDATE tool_calls SET wakes_at = NULL, wake_result = NULL WHERE id = 'asleep'",
        {"send": "patient", "call": "asleep"},
    ),
    (
        "tasks",
        "UPDATE tool_calls SET status = 'done', result = 'x', ended_at = '2100-01-01' WHERE id = 'queued'",
        {"send": "patient", "task": "task-queued", "call_status": "done"},
    ),
    (
        "tasks",
        (
            "UPDATE sends SET status = 'completed', stop_reason = 'end_turn', ended_at = '2100-01-01' "
            "WHERE id = 'patient'"
        ),
        {"task": "task-run", "status": "running"},
    ),
    (
        "tasks_driven",
        "UPDATE tool_tasks SET dispatched_at = now() - interval '1 h' WHERE id = 'task-queued'",
        {"task": "task-queued", "queue": "browser"},
    ),
    ("tasks_driven", "DELETE FROM worker_leases", {"task": "task-run", "owner": "alive"}),
    (
        "sleepers",
        "UPDATE tool_calls SET wakes_at = now() - interval '1 h' WHERE id = 'asleep'",
        {"send": "patient", "call": "asleep"},
    ),
    ("awaited", "DELETE FROM sends WHERE id = 'child'", {"send": "parent", "call": "delegated"}),
    (
        "told",
        (
            "UPDATE sends SET status = 'completed', stop_reason = 'end_turn', ended_at = '2100-01-01' "
            "WHERE id = 'child'"
        ),
        {"send": "child", "parent": "parent", "call": "delegated"},
    ),
    (
        "told",
        (
            "UPDATE tool_calls SET status = 'waiting', result = NULL, ended_at = NULL "
            "WHERE send_id = 'parent' AND id = 'told'"
        ),
        {"send": "grown", "status": "cancelled", "call": "told"},
    ),
    ("driven", "UPDATE sends SET dispatched_at = now() - interval '1 h' WHERE id = 'head'", {"send": "head"}),
    ("driven", "DELETE FROM worker_leases", {"send": "working"}),
    ("log_epochs", "UPDATE messages SET epoch = 1 WHERE send_id = 'doubtful' AND seq = 10", {"seq": 10}),
    ("log_epochs", "UPDATE messages SET epoch = 9 WHERE session_id = 'busy'", {"session": "busy"}),
    ("call_epochs", "UPDATE tool_calls SET epoch = 9 WHERE send_id = 'working'", {"send": "working"}),
    ("call_epochs", "UPDATE sends SET epoch = 9 WHERE id = 'working'", {"send": "working"}),
    ("gaps", "DELETE FROM messages WHERE session_id = 'busy' AND seq = 1", {"session": "busy"}),
    ("gaps", "UPDATE sessions SET seq = seq + 1 WHERE id = 'busy'", {"session": "busy", "last_seq": 2}),
    (
        "log_order",
        "UPDATE messages SET send_id = 'stopped' WHERE session_id = 'talk' AND seq = 2",
        {"seq": 3},
    ),
    ("inputs", "UPDATE sends SET input_seq = 2 WHERE id = 'working'", {"send": "working"}),
    ("answers", "DELETE FROM messages WHERE send_id = 'done' AND seq = 4", {"send": "done", "answers": 1}),
    ("paid_rounds", "UPDATE model_calls SET round = 1 WHERE send_id = 'done'", {"send": "done"}),
    (
        "paid_rounds",
        (
            "INSERT INTO model_calls (session_id, send_id, round, attempt, model, purpose, outcome, "
            "estimated, input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, "
            "latency_ms, created_at) "
            "VALUES ('talk', 'done', 1, 1, 'm', 'round', 'ok', false, 0, 0, 0, 0, 0, 0, now())"
        ),
        {"send": "done", "rounds": 2, "paid": 3},
    ),
    ("doubts", "DELETE FROM interactions", {"send": "doubtful", "call": "maybe"}),
    ("doubts", "UPDATE tool_calls SET effect = 'read' WHERE status = 'in_doubt'", {"call": "maybe"}),
    (
        "call_ids",
        "DROP INDEX uq_tool_calls_id; UPDATE tool_calls SET id = 'a' WHERE send_id = 'done'",
        {"send": "done", "call": "a", "calls": 2},
    ),
    (
        "transcript",
        "UPDATE messages SET content = '[]' WHERE send_id = 'done' AND role = 'tool'",
        {"session": "talk", "seq": 2, "call": "a", "results": 0},
    ),
    (
        "transcript",
        "UPDATE messages SET content = content || content WHERE send_id = 'done' AND role = 'tool'",
        {"seq": 2, "call": "b", "results": 2},
    ),
    (
        "transcript",
        "UPDATE messages SET content = '[]' WHERE send_id = 'done' AND seq = 2",
        {"seq": 3, "send": "done", "call": "a"},
    ),
    (
        "transcript",
        (
            "UPDATE sends SET status = 'completed', stop_reason = 'end_turn', ended_at = now() "
            "WHERE id = 'working'"
        ),
        {"send": "working", "call": "open", "results": 0},
    ),
    ("journal", "DELETE FROM tool_calls WHERE send_id = 'done' AND id = 'a'", {"found_in": "transcript"}),
    ("journal", "UPDATE messages SET content = '[]' WHERE send_id = 'working'", {"found_in": "journal"}),
    (
        "open_calls",
        "UPDATE tool_calls SET status = 'pending', result = NULL, ended_at = NULL WHERE id = 'b'",
        {"send": "done", "call": "b", "status": "pending"},
    ),
    ("usage", "UPDATE sends SET cached_tokens = cached_tokens + 1 WHERE id = 'done'", {"send": "done"}),
    ("usage", "DELETE FROM model_calls WHERE send_id = 'done' AND round = 2", {"send": "done"}),
    ("budgets", "UPDATE budgets SET output_tokens = 9", {"send": "frugal", "ledger_output_tokens": 10}),
    (
        "budgets",
        (
            """UPDATE sends SET lineage = '{"budgets": ["frugal"]}', parent_send_id = 'frugal', """
            "root_id = 'frugal' WHERE id = 'helping'; "
            "UPDATE model_calls SET send_id = 'helping' WHERE send_id = 'frugal'; "
            "UPDATE budgets SET input_tokens = 13"
        ),
        {"send": "frugal", "input_tokens": 13, "ledger_input_tokens": 14},
    ),
    ("budgets", "UPDATE budgets SET cost = 1", {"send": "frugal", "cost": 1, "ledger_cost": 20}),
    (
        "reservations",
        (
            "UPDATE sends SET status = 'completed', stop_reason = 'end_turn', "
            "ended_at = '2100-01-01' WHERE id = 'frugal'"
        ),
        {"send": "frugal", "budget": "frugal", "output_tokens": 20},
    ),
    ("reservations", "UPDATE sends SET status = 'waiting' WHERE id = 'helping'", {"budget": "frugal"}),
    (
        "trees",
        (
            "UPDATE sends SET root_id = 'other', parent_send_id = 'other', "
            "lineage = (SELECT k.lineage FROM sends AS k WHERE k.id = 'child') "
            "WHERE id IN ('child', 'grown', 'head')"
        ),
        {"root": "other", "sub_agents": 3, "allowed": 2},
    ),
    (
        "afterwards",
        "UPDATE messages SET created_at = now() + interval '1 h' WHERE send_id = 'stopped'",
        {"send": "stopped", "status": "cancelled", "what": "message"},
    ),
    (
        "afterwards",
        "UPDATE model_calls SET created_at = '2100-01-01' WHERE send_id = 'done'",
        {"what": "model call"},
    ),
    (
        "afterwards",
        "UPDATE tool_calls SET ended_at = now() + interval '1 h' WHERE id = 'a'",
        {"what": "result"},
    ),
    (
        "afterwards",
        "UPDATE tool_calls SET created_at = now() + interval '1 h' WHERE id = 'a'",
        {"what": "call"},
    ),
    (
        "afterwards",
        "UPDATE interactions SET send_id = 'done', created_at = now() + interval '1 h'",
        {"what": "question"},
    ),
    (
        "leases",
        "UPDATE worker_leases SET expires_at = now() - interval '3 h' WHERE id = 'alive'",
        {"worker": "alive", "send": "working"},
    ),
    (
        "orphans",
        "DELETE FROM worker_leases; UPDATE sessions SET updated_at = now() - interval '3 h'",
        {"send": "working", "owner": "alive"},
    ),
    ("questions", "UPDATE interactions SET send_id = 'done'", {"send": "done", "interaction": "question"}),
]
