"""Crash points: the places between which nothing is half done.

Each boundary of a send's journal has a name. In production a passing costs one comparison. A test arms them,
and dies at exactly one: see `powerloop.testing.crash_at`.
"""

from collections.abc import Callable
from enum import StrEnum


class CrashPoint(StrEnum):
    """Where a process may die, in the order in which a send passes."""

    BEFORE_CLAIM = "before_claim"
    AFTER_CLAIM = "after_claim"
    BEFORE_MODEL = "before_model"
    #: The model has answered, and nothing of it is written.
    AFTER_MODEL = "after_model"
    #: Commit A: the model's message and its calls are written.
    AFTER_COMMIT_MODEL = "after_commit_model"
    #: Calls that must not run twice are written down as running, and do not run yet.
    AFTER_START_CALLS = "after_start_calls"
    BEFORE_TOOL = "before_tool"
    #: A tool has had its effect, and nothing of it is written.
    AFTER_TOOL = "after_tool"
    BEFORE_PROBE = "before_probe"
    AFTER_PROBE = "after_probe"
    #: Commit B: how calls ended is written.
    AFTER_COMMIT_RESULTS = "after_commit_results"
    #: Between rounds: the inputs of sends that steer become messages of this one.
    BEFORE_MERGE = "before_merge"
    AFTER_MERGE = "after_merge"
    BEFORE_SUSPEND = "before_suspend"
    AFTER_SUSPEND = "after_suspend"
    #: A call that has a queue of its own runs elsewhere.
    BEFORE_TASK_CLAIM = "before_task_claim"
    AFTER_TASK_CLAIM = "after_task_claim"
    BEFORE_TASK_CONCLUDE = "before_task_conclude"
    #: How the call ended is written, its send queued, and not published.
    AFTER_TASK_CONCLUDE = "after_task_conclude"
    #: A run takes note of what has happened to its nodes.
    BEFORE_ADVANCE = "before_advance"
    #: What follows is written, and not published.
    AFTER_ADVANCE = "after_advance"
    AFTER_ADVANCE_PUBLISH = "after_advance_publish"
    #: A beat fires what is due: nothing is written, all is and is not committed, all is and is not published.
    BEFORE_FIRE = "before_fire"
    DURING_FIRE = "during_fire"
    AFTER_FIRE = "after_fire"
    AFTER_FIRE_PUBLISH = "after_fire_publish"
    BEFORE_FINISH = "before_finish"
    AFTER_FINISH = "after_finish"
    BEFORE_HAND_OVER = "before_hand_over"
    AFTER_HAND_OVER = "after_hand_over"
    #: The session's lock is released, and the next head is not published.
    BEFORE_PUBLISH = "before_publish"
    AFTER_PUBLISH = "after_publish"


_action: Callable[[CrashPoint], None] | None = None


def arm(action: Callable[[CrashPoint], None] | None) -> None:
    """Have `action` called at each passing of any point; `None` disarms them."""
    global _action  # noqa: PLW0603 - one process has one fate
    _action = action


def passing(point: CrashPoint) -> None:
    """Pass the point."""
    if _action is not None:
        _action(point)
