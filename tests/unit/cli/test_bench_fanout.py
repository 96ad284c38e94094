"""How the leaves of a resumed run are counted: what was done is not run again. No I/O."""

import pytest

from powerloop.cli.bench_fanout import Resumed, counted
from powerloop.kernel.ids import NodeId, RunId
from powerloop.kernel.workflows import Node, NodeStatus


def leaf(path, attempt=1, status="done"):
    return Node(
        id=NodeId(f"{path}/{attempt}"),
        run_id=RunId("r"),
        parent_id=NodeId("root"),
        index=0,
        path=path,
        type="agent",
        name="leaf",
        frame_id=NodeId("root"),
        attempt=attempt,
        status=NodeStatus(status),
    )


CUT = [leaf("a"), leaf("b", status="cancelled")]


def test_only_what_was_not_done_has_run():
    after = [*CUT, leaf("b", 2), leaf("c")]
    assert counted(CUT, after, 3, 0.5) == Resumed(done_before=1, ran=2, s=0.5)


def test_a_leaf_that_ended_just_in_time_counts_as_done_before():
    after = [leaf("a"), leaf("b"), leaf("c")]
    assert counted(CUT, after, 3, 0.5) == Resumed(done_before=2, ran=1, s=0.5)


@pytest.mark.parametrize(
    ("after", "says"),
    [
        ([*CUT, leaf("a", 2), leaf("b", 2), leaf("c")], "1 leaves that were done ran again, a for one"),
        ([*CUT, leaf("b", 2)], "2 of 3 leaves are done, by 2 attempts"),
        ([*CUT, leaf("b", 2), leaf("b", 3)], "2 of 3 leaves are done, by 3 attempts"),
    ],
)
def test_what_should_not_be_is_told(after, says):
    with pytest.raises(RuntimeError, match=says):
        counted(CUT, after, 3, 0.5)
