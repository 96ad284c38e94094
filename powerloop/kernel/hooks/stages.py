"""Stages: where hooks are asked."""

from enum import StrEnum


class Stage(StrEnum):
    """A point in the life of a send at which hooks are asked. Each bears the name of the method of `Hook`."""

    #: A process begins to drive a send: once per claim, so again after a crash, a hand-over or a wait.
    SESSION_START = "session_start"
    #: The send has ended, and that is written down.
    SESSION_END = "session_end"
    #: A round begins; the model is asked next.
    ROUND_START = "round_start"
    #: A round is over: the results of its calls are written down, or, in the last one, the answer is there.
    ROUND_END = "round_end"
    #: The request to the model is made, and not sent yet.
    BEFORE_MODEL = "before_model"
    #: The model has answered; nothing is written down yet.
    AFTER_MODEL = "after_model"
    #: A call is about to run. Its arguments were not held against the tool's schema yet.
    BEFORE_TOOL = "before_tool"
    #: A call has run, or failed; nothing is written down yet.
    AFTER_TOOL = "after_tool"
    #: A model message, results of calls, or a completed send are about to be written down.
    BEFORE_COMMIT = "before_commit"
    #: A call is about to start a sub-agent.
    SPAWN = "spawn"
    #: A person is about to be asked.
    INTERACTION = "interaction"
    #: A timer of a session is due.
    TIMER = "timer"

    @property
    def is_inward(self) -> bool:
        """Whether hooks are asked in their order; those that look back are asked in reverse."""
        return self not in _OUTWARD


_OUTWARD = frozenset({Stage.SESSION_END, Stage.ROUND_END, Stage.AFTER_MODEL, Stage.AFTER_TOOL})
