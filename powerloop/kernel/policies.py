"""Policies: what happens to an input that finds its session busy."""

from enum import StrEnum


class Policy(StrEnum):
    """What happens to a send whose session is busy. Each is a plain send where the session is idle."""

    #: It waits for its turn: first in, first out.
    ENQUEUE = "enqueue"
    #: It is refused with `session.busy`.
    REJECT = "reject"
    #: The send that has started is cancelled; what it had come to stays in the log. Sends that were accepted
    #: in between keep their turn.
    INTERRUPT = "interrupt"
    #: The send that has started is cancelled, and the model sees no message of it any more. Sends that were
    #: accepted in between keep their turn.
    ROLLBACK = "rollback"
    #: It becomes a user message of the send that has started, at its next round boundary, and is `MERGED`
    #: then. If there is none, it has its turn like any other.
    STEER = "steer"
