"""How a run looks to people: its tree, collapsed or whole, and a line for each change. No I/O."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from rich.console import Console

from powerloop.cli.node_words import node_line, span
from powerloop.cli.run_look import Changes, RunLook
from powerloop.cli.run_view import run_view
from powerloop.client.run_tree import RunNode
from powerloop.client.runs import RunResult
from powerloop.kernel.ids import CallId, NodeId, RunId, SendId, SessionId
from powerloop.kernel.ports.workflows import NodeCost
from powerloop.kernel.sends import SendError
from powerloop.kernel.usage import Usage, UsageTotal
from powerloop.kernel.workflows import Node, NodeStatus, RunStatus, WorkflowRun

NOW = datetime(2026, 5, 4, 12, 0, 30, tzinfo=UTC)
START = NOW - timedelta(seconds=30)


def node(type_="agent", *children, path="root", status="done", took=2.0, cost=None, **fields):
    """A node that began at the start; one that has ended took so many seconds."""
    state = NodeStatus(status)
    ended = START + timedelta(seconds=took) if state.is_final else None
    made = {
        "id": NodeId(path),
        "run_id": RunId("r"),
        "parent_id": None,
        "index": 0,
        "path": path,
        "type": type_,
        "name": None,
        "frame_id": NodeId("root"),
        "attempt": 1,
        "status": state,
        "created_at": START,
        "ended_at": ended,
        **fields,
    }
    return RunNode(node=Node(**made), children=children, cost=cost)


def fan_out(statuses, **fields):
    """A foreach with children in these states."""
    children = [
        node(path=f"root.body#{number}", index=number, name="a", status=status)
        for number, status in enumerate(statuses)
    ]
    return node("foreach", *children, name="f", status="open", **fields)


def look(root, *, status=RunStatus.OPEN, error=None, paused=False, begun=True, total=None):
    run = WorkflowRun(
        id=RunId("r"),
        send_id=SendId("r"),
        call_id=CallId("c"),
        session_id=SessionId("s"),
        owner_id=None,
        name="research",
        status=status,
        value=None,
        code="",
        message="",
        created_at=START,
        paused_at=NOW if paused else None,
        ended_at=None if status is RunStatus.OPEN else NOW,
    )
    result = RunResult(run_id=run.id, status=status, value=None, error=error)
    return RunLook(
        id=run.id,
        session_id=run.session_id,
        run=run if begun else None,
        result=None if status is RunStatus.OPEN else result,
        root=root,
        total=total or UsageTotal(),
        at=NOW,
    )


def drawn(seen, *, brief=False, width=200):
    stream = StringIO()
    Console(file=stream, width=width, color_system=None).print(run_view(seen, brief=brief))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_a_tree_tells_state_time_tokens_cost_and_worker_of_each_node():
    cost = NodeCost(input_tokens=1_000, output_tokens=234, cost=1_500_000, worker="host:7:ab")
    leaf = node(path="root.steps[0]", name="plan", cost=cost)
    waits = node("human", path="root.steps[1]", name="ok", status="running", send_id=SendId("h"))
    assert drawn(look(node("sequence", leaf, waits, status="open")))[1:] == [
        "▸ sequence root  open  30 s  root",
        "├── ✓ agent plan  2.0 s  1,234 tokens  $0.001500  host:7:ab",
        "└── ? human ok  waits  30 s  powerloop inbox list --send h  root.steps[1]",
    ]


def test_the_line_of_a_run_tells_what_it_used_in_all():
    used = UsageTotal(
        calls=3, unpriced_calls=2, usage=Usage(input_tokens=5, output_tokens=7), cost=Decimal(2)
    )
    [line, *_] = drawn(look(node(), total=used))
    assert line == "research  r  open  30 s  12 tokens  $2.00, 2 calls unpriced"
    assert drawn(look(node(), paused=True))[0] == "research  r  open  paused  30 s"


def test_a_run_that_no_worker_has_begun_says_how_to_find_out_why():
    assert drawn(look(None, begun=False)) == [
        "run  r  open",
        "No worker has begun it yet. Why: powerloop sends explain r",
    ]
    ended = look(None, status=RunStatus.FAILED, error=SendError(code="x", message=""))
    assert drawn(ended)[1] == "It ended before any of its nodes began."


def test_a_failed_node_tells_its_code_its_first_words_and_its_path():
    failed = node(
        "tool",
        path="root.steps[0]",
        name="t",
        status="failed",
        attempt=3,
        code="tool.failed",
        message="no\nway",
    )
    [line] = drawn(look(failed))[1:]
    assert line == "✗ tool t  failed  attempt 3  2.0 s  tool.failed: no way  root.steps[0]"
    long = node("tool", status="failed", code="c", message="x" * 500)
    assert f"c: {'x' * 160}…  root" in drawn(look(long), width=300)[1]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"status": "delayed", "attempt": 2, "wakes_at": NOW + timedelta(seconds=3)}, "again in 3.0 s"),
        ({"status": "running", "signal": "go"}, "for the signal go"),
        ({"status": "running", "wakes_at": NOW + timedelta(minutes=2)}, "2 min 0 s to go"),
    ],
)
def test_what_a_node_waits_for_is_told(fields, told):
    assert told in drawn(look(node("wait", **fields)))[1]


def test_a_fan_out_has_a_bar_of_what_has_ended_and_failed():
    half = fan_out(["done", "failed", "open", "open"], total=4, begun=4, ended=2, bad=1)
    assert f"open  {'━' * 10}{'─' * 10} 2/4, 1 failed  30 s" in drawn(look(half))[1]
    none = fan_out([], total=0)
    assert drawn(look(none))[1].startswith("▸ foreach f  open  30 s")


def test_a_small_fan_out_is_shown_whole_in_a_brief_view():
    assert len(drawn(look(fan_out(["done"] * 10, total=10)), brief=True)) == 2 + 10


def test_a_brief_view_of_a_large_fan_out_shows_what_is_open_or_failed_and_counts_the_rest():
    states = ["done"] * 300
    states[7], states[50], states[299] = "failed", "open", "skipped"
    lines = drawn(look(fan_out(states, total=400, begun=300, ended=299)), brief=True)[2:]
    assert [line[4:] for line in lines] == [
        "✗ agent a #7  failed  2.0 s",
        "▸ agent a #50  open  30 s",
        "… and 297 done, 1 skipped",
    ]


def test_a_brief_view_stays_short_however_many_are_open_and_failed():
    lines = drawn(look(fan_out(["open"] * 500 + ["failed"] * 500, total=1_000)), brief=True)[2:]
    assert len(lines) == 17
    assert lines[-1].endswith("… and 492 open, 492 failed")


def test_a_brief_view_has_a_line_for_each_node_whatever_the_width():
    failed = node("tool", status="failed", code="tool.failed", message="far too long " * 9)
    lines = drawn(look(failed), brief=True, width=60)
    assert len(lines) == 2
    assert lines[1].endswith("…")


def test_only_what_is_new_or_has_another_state_is_a_change():
    changes = Changes()
    assert changes.since(None) == []
    leaf = node(path="root.steps[0]", status="running")
    assert len(changes.since(node("sequence", leaf, status="open"))) == 2
    landed = node(path="root.steps[0]", status="landed")
    assert changes.since(node("sequence", landed, status="open", begun=1)) == []
    done = node(path="root.steps[0]", status="done")
    assert changes.since(node("sequence", done, status="open")) == [done]


def test_changes_come_in_the_order_in_which_they_came_about():
    first = node(path="root.steps[0]", took=5)
    second = node(path="root.steps[1]", status="running", created_at=START + timedelta(seconds=5))
    assert [item.node.path for item in Changes().since(node("sequence", first, second, status="open"))] == [
        "root",
        "root.steps[0]",
        "root.steps[1]",
    ]
    ended = node("sequence", first, status="done", took=5)
    assert [item.node.path for item in Changes().since(ended)] == ["root.steps[0]", "root"]


def test_the_line_of_a_change_has_the_time_and_the_path():
    line = node_line(node(path="root.steps[0]", name="plan"), NOW).plain
    at = (START + timedelta(seconds=2)).astimezone()
    assert line == f"{at:%H:%M:%S}  ✓ agent plan  2.0 s  root.steps[0]"
    assert " 1/3  " in node_line(fan_out(["done"], total=3, ended=1), NOW).plain


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(-1, "0.0 s"), (0.44, "0.4 s"), (12.9, "12 s"), (185, "3 min 5 s"), (7_440, "2 h 4 min")],
)
def test_spans_are_told_in_the_units_of_people(seconds, told):
    assert span(timedelta(seconds=seconds)) == told
