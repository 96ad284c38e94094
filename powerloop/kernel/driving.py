"""What driving a send needs, and what it comes to."""

from dataclasses import dataclass
from enum import StrEnum

from powerloop.kernel.agents import AgentRegistry
from powerloop.kernel.clock import Clock
from powerloop.kernel.dispatch import Ready
from powerloop.kernel.ids import WorkerId
from powerloop.kernel.marks import Marks
from powerloop.kernel.ports.dispatcher import Dispatcher
from powerloop.kernel.ports.events import EventSink
from powerloop.kernel.ports.journal import Journal
from powerloop.kernel.ports.locks import SessionLocks
from powerloop.kernel.ports.model import Models
from powerloop.kernel.ports.recovery import Recovery
from powerloop.kernel.ports.toolbox import Toolbox


class Outcome(StrEnum):
    """What driving a send came to, for this process."""

    #: The send is final.
    ENDED = "ended"
    #: It waits for something outside; no process has it.
    WAITING = "waiting"
    #: It was given back, for another process to go on.
    HANDED_OVER = "handed_over"
    #: Nothing was done: it is final, unknown, not its session's head, or somebody else's.
    NOT_OURS = "not_ours"
    #: It became somebody else's while it ran here. Nothing was written after that.
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What an executor works with."""

    worker: WorkerId
    agents: AgentRegistry
    journal: Journal
    recovery: Recovery
    locks: SessionLocks
    models: Models
    toolbox: Toolbox
    events: EventSink
    dispatcher: Dispatcher
    clock: Clock
    marks: Marks
    #: A send that was claimed so often, without a commit in between, fails as poison at its next claim.
    max_attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What is left to do once the session's lock is released."""

    outcome: Outcome
    #: What is ready now.
    publish: tuple[Ready, ...] = ()
