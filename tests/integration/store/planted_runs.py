"""Ways to break each promise about runs of workflows, behind the back of the store."""

_ENDED = "status = 'completed', stop_reason = 'end_turn', ended_at = '2000-01-01'"
_RUNNING_LEAF = "run_id = 'going' AND status = 'running' AND send_id IS NOT NULL"
_ITS_SEND = f"id IN (SELECT n.id FROM workflow_nodes AS n WHERE n.{_RUNNING_LEAF})"
_FAN_OUT = "run_id = 'going' AND path = 'root.steps[1].branches[0]'"
_AT_WAIT = "run_id = 'going' AND path = 'root.steps[1].branches[2]'"
_OLD_CALL = "UPDATE tool_calls SET created_at = '2000-01-01' WHERE send_id = 'going'"

#: As `PLANTED`: for each check, what breaks the promise, and what a row of the report must say.
PLANTED_RUNS = [
    ("awaited", "DELETE FROM workflow_runs WHERE id = 'going'", {"send": "going", "call": "run"}),
    (
        "runs",
        (
            "UPDATE tool_calls SET status = 'done', result = 'x', ended_at = '2100-01-01' "
            "WHERE send_id = 'going'"
        ),
        {"run": "going", "status": "waiting", "call_status": "done"},
    ),
    ("runs", f"UPDATE sends SET {_ENDED} WHERE id = 'going'", {"run": "going", "status": "completed"}),
    ("runs", "UPDATE workflow_runs SET call_id = 'other' WHERE id = 'going'", {"call_status": None}),
    (
        "leaves",
        f"UPDATE sends SET {_ENDED} WHERE {_ITS_SEND}",
        {"run": "going", "status": "running", "send_status": "completed"},
    ),
    ("leaves", f"DELETE FROM sends WHERE {_ITS_SEND}", {"run": "going", "send_status": None}),
    (
        "leaves",
        f"UPDATE workflow_nodes SET status = 'landed' WHERE {_RUNNING_LEAF}",
        {"run": "going", "status": "landed", "send_status": "running"},
    ),
    (
        "runs_moved",
        (
            f"UPDATE sends SET {_ENDED} WHERE {_ITS_SEND}; "
            f"UPDATE workflow_nodes SET status = 'landed' WHERE {_RUNNING_LEAF}"
        ),
        {"run": "going", "what": "landed"},
    ),
    (
        "runs_moved",
        (
            "UPDATE workflow_nodes SET status = 'landed', ended_at = NULL, value = NULL "
            "WHERE run_id = 'over' AND path = 'root.branches[0]'; "
            "UPDATE sends SET ended_at = '2000-01-01' WHERE ended_at IS NOT NULL"
        ),
        {"run": "over", "what": "landed", "path": "root.branches[0]"},
    ),
    (
        "runs_moved",
        f"UPDATE workflow_nodes SET wakes_at = '2000-01-01' WHERE {_AT_WAIT}",
        {"run": "going", "what": "woken", "path": "root.steps[1].branches[2]"},
    ),
    (
        "runs_moved",
        f"UPDATE workflow_nodes SET deadline_at = '2000-01-01' WHERE {_AT_WAIT}",
        {"run": "going", "what": "timed out", "path": "root.steps[1].branches[2]"},
    ),
    (
        "runs_moved",
        "INSERT INTO workflow_inbox (run_id, path, created_at) VALUES ('going', 'root', '2000-01-01')",
        {"run": "going", "what": "passed over"},
    ),
    (
        "runs_moved",
        (
            "INSERT INTO workflow_inbox (run_id, signal, created_at) VALUES ('going', 'go', '2000-01-01'); "
            "UPDATE workflow_nodes SET created_at = '2000-01-01' WHERE run_id = 'going'"
        ),
        {"run": "going", "what": "signalled", "path": "root.steps[1].branches[1]"},
    ),
    (
        "runs_moved",
        (
            "DELETE FROM workflow_nodes WHERE run_id = 'going'; "
            "UPDATE workflow_runs SET created_at = '2000-01-01' WHERE id = 'going'"
        ),
        {"run": "going", "what": "begun"},
    ),
    (
        "runs_moved",
        f"UPDATE workflow_runs SET resume = '{{}}' WHERE id = 'going'; {_OLD_CALL}",
        {"run": "going", "what": "resumed"},
    ),
    (
        "unwanted",
        (
            "UPDATE workflow_nodes SET status = 'cancelled', ended_at = '2000-01-01' "
            "WHERE run_id = 'over' AND status = 'running'"
        ),
        {"run": "over", "status": "cancelled", "send_status": "running"},
    ),
    (
        "members",
        f"UPDATE workflow_nodes SET begun = 4 WHERE {_FAN_OUT}",
        {"run": "going", "begun": 4, "members": 3},
    ),
    (
        "members",
        f"UPDATE workflow_nodes SET ended = 2 WHERE {_FAN_OUT}",
        {"ended": 2, "members_ended": 1},
    ),
    ("members", f"UPDATE workflow_nodes SET done = 0 WHERE {_FAN_OUT}", {"done": 0, "members_done": 1}),
    (
        "members",
        f"UPDATE workflow_nodes SET done = 0, bad = 1 WHERE {_FAN_OUT}",
        {"bad": 1, "members_bad": 0},
    ),
    (
        "members",
        "DELETE FROM workflow_nodes WHERE run_id = 'going' AND path = 'root.steps[0]'",
        {"path": "root", "begun": 2, "members": 1, "members_ended": 0},
    ),
    (
        "entries",
        "UPDATE workflow_nodes SET value = '{\"quick\": 1}' WHERE run_id = 'over' AND path = 'root'",
        {"run": "over", "total": 2, "entries": 1},
    ),
    (
        "entries",
        "UPDATE workflow_nodes SET value = '[1, 2]' WHERE run_id = 'over' AND path = 'root'",
        {"run": "over", "value_type": "array"},
    ),
    (
        "entries",
        f"UPDATE workflow_nodes SET status = 'done', ended_at = '2100-01-01', value = '[1]' WHERE {_FAN_OUT}",
        {"run": "going", "total": 4, "entries": 1},
    ),
    (
        "entries",
        f"UPDATE workflow_nodes SET status = 'done', ended_at = '2100-01-01' WHERE {_FAN_OUT}",
        {"run": "going", "value_type": None, "entries": None},
    ),
    (
        "attempts",
        (
            "UPDATE workflow_nodes SET status = 'running', code = '', ended_at = NULL "
            "WHERE run_id = 'going' AND attempt = 1 AND path = 'root.steps[0]'"
        ),
        {"path": "root.steps[0]", "attempt": 1, "status": "running"},
    ),
    (
        "attempts",
        (
            "DROP INDEX uq_workflow_nodes_current; DROP INDEX uq_workflow_nodes_name; "
            "UPDATE workflow_nodes SET current = true WHERE run_id = 'going'"
        ),
        {"path": "root.steps[0]", "attempt": 2, "attempts": 2},
    ),
    (
        "attempts",
        "UPDATE workflow_nodes SET current = false WHERE run_id = 'over' AND path = 'root'",
        {"run": "over", "path": "root.branches[0]", "parent_attempt": 1},
    ),
    (
        "cut_off",
        (
            "UPDATE workflow_nodes SET status = 'done', ended_at = '2100-01-01' "
            "WHERE run_id = 'going' AND path = 'root'"
        ),
        {"path": "root.steps[1]", "parent_type": "sequence", "parent_status": "done"},
    ),
    (
        "cut_off",
        f"UPDATE workflow_nodes SET status = 'cancelled', ended_at = '2100-01-01' WHERE {_FAN_OUT}",
        {"path": "root.steps[1].branches[0].body#1", "parent_status": "cancelled"},
    ),
    (
        "cut_off",
        "UPDATE workflow_nodes SET place = -1 WHERE run_id = 'over' AND status = 'running'",
        {"run": "over", "path": "root.branches[1]", "parent_type": "parallel"},
    ),
    (
        "cut_off",
        "UPDATE workflow_runs SET status = 'done', ended_at = '2100-01-01' WHERE id = 'going'",
        {"run": "going", "path": "root", "run_status": "done"},
    ),
    (
        "cut_off",
        "UPDATE workflow_runs SET status = 'cancelled' WHERE id = 'over'",
        {"run": "over", "path": "root.branches[1]", "run_status": "cancelled"},
    ),
]
