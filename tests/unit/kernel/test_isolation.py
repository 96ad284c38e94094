"""Isolation as nouns: what is no limit, no policy and no launch, and what a program finds."""

import pickle
from datetime import timedelta

import pytest

from powerloop.kernel.errors import InvalidInput, ModelError
from powerloop.kernel.isolation import EndedBy, Exited, IsolationPolicy, Launch, ProcessLimits
from powerloop.kernel.isolation_errors import LaunchFailed, LeafFailed


@pytest.mark.parametrize(
    "limits",
    [
        {"cpu": timedelta(0)},
        {"cpu": 5},
        {"wall_clock": timedelta(seconds=-1)},
        {"wall_clock": timedelta.max},
        {"memory_bytes": 0},
        {"memory_bytes": 1.5},
        {"memory_bytes": 10**30},
        {"processes": True},
        {"processes": -1},
        {"output_bytes": 0},
        {"output_bytes": None},
    ],
    ids=str,
)
def test_what_is_no_limit_is_refused_by_its_name(limits):
    (name,) = limits
    with pytest.raises(InvalidInput, match=name):
        ProcessLimits(**limits)


def test_nothing_but_output_is_limited_unless_asked_for():
    limits = ProcessLimits()
    assert (limits.cpu, limits.memory_bytes, limits.wall_clock, limits.processes) == (None, None, None, None)
    assert limits.output_bytes == 4 * 1024 * 1024


@pytest.mark.parametrize(("own", "given", "left"), [(None, 5, 5), (3, 5, 3), (8, 5, 5)])
def test_the_shorter_time_on_the_wall_holds(own, given, left):
    limits = ProcessLimits(wall_clock=own and timedelta(seconds=own), processes=7)
    within = limits.within(timedelta(seconds=given))
    assert within == ProcessLimits(wall_clock=timedelta(seconds=left), processes=7)


@pytest.mark.parametrize(
    "policy",
    [
        {"environment": "PATH"},
        {"environment": ("",)},
        {"environment": ("A=B",)},
        {"environment": (b"PATH",)},
        {"read_only": ("relative",)},
        {"read_only": ("/a/../b",)},
        {"writable": ("/a/",)},
        {"writable": ("/a\0b",)},
        {"read_only": ("/a",), "writable": ("/a",)},
    ],
    ids=str,
)
def test_what_is_no_policy_is_refused(policy):
    with pytest.raises(InvalidInput):
        IsolationPolicy(**policy)


def test_a_policy_allows_nothing_unless_asked_to():
    policy = IsolationPolicy()
    assert (policy.environment, policy.network, policy.mounts) == ((), False, ())


def test_a_path_in_another_comes_after_it():
    policy = IsolationPolicy(read_only=("/work/repo/.git", "/"), writable=("/work/repo",))
    assert policy.mounts == (("/", False), ("/work/repo", True), ("/work/repo/.git", False))


@pytest.mark.parametrize(
    "launch",
    [
        {"argv": ()},
        {"argv": ("",)},
        {"argv": "ls"},
        {"argv": ("ls", "a\0b")},
        {"argv": ("ls",), "env": {"A=": "b"}},
        {"argv": ("ls",), "env": {"A": "b\0"}},
        {"argv": ("ls",), "env": {"A": 1}},
    ],
    ids=str,
)
def test_what_is_no_launch_is_refused(launch):
    with pytest.raises(InvalidInput):
        Launch(**launch)


def test_a_program_finds_what_is_allowed_and_what_is_set_and_nothing_else():
    policy = IsolationPolicy(environment=("PATH", "LANG", "NOT_SET"))
    launch = Launch(argv=("ls",), policy=policy, env={"LANG": "C", "MODE": "leaf"})
    ours = {"PATH": "/bin", "LANG": "de_DE", "DATABASE_URL": "postgresql://secret"}
    assert launch.environment(ours) == {"PATH": "/bin", "LANG": "C", "MODE": "leaf"}


def test_a_launch_shows_neither_its_variables_nor_its_input():
    shown = repr(Launch(argv=("ls",), stdin=b"a secret", env={"KEY": "a secret"}))
    assert "secret" not in shown


def test_the_complaint_of_a_program_can_be_shown_and_kept():
    stderr = b"\x1b[31mred\x1b[0m\x00 \x1b]0;title\x07line\r\n\tindented \xff\x08\n"
    assert (
        Exited(code=1, stdout=b"", stderr=stderr).complaint
        == "red line\n\tindented \N{REPLACEMENT CHARACTER}"
    )


def test_of_a_long_complaint_the_end_is_told():
    complaint = Exited(code=1, stdout=b"", stderr=b"x" * 10_000 + b"the end").complaint
    assert complaint.endswith("the end")
    assert len(complaint) == 2000


def test_what_ends_a_process_is_named_as_its_limit():
    limits = set(ProcessLimits.__dataclass_fields__)
    assert {EndedBy.WALL_CLOCK, EndedBy.CPU} <= limits


@pytest.mark.parametrize(
    ("error", "code"),
    [(LaunchFailed("no"), "isolation.failed"), (LeafFailed("model.unavailable", "no"), "model.unavailable")],
)
def test_a_leaf_that_fails_so_fails_as_by_its_model_and_is_not_tried_again(error, code):
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, ModelError)
    assert (again.code, str(again), again.transient) == (code, "no", False)
