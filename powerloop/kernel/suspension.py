"""Suspensions: what a send waits for, as it is written down, and what that brought about."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from powerloop.kernel.dispatch import Ready
from powerloop.kernel.ids import CallId, SendId
from powerloop.kernel.interactions import NewInteraction
from powerloop.kernel.jsontypes import JSONObject
from powerloop.kernel.messages import Block
from powerloop.kernel.sends import Lineage
from powerloop.kernel.sessions import NewSession
from powerloop.kernel.tool_tasks import NewToolTask
from powerloop.kernel.workflows import NewRun


@dataclass(frozen=True, slots=True, kw_only=True)
class NewChild:
    """A sub-agent to be started."""

    #: The call that starts it.
    call_id: CallId
    #: Its session, with its origin.
    session: NewSession
    send_id: SendId
    content: tuple[Block, ...]
    metadata: JSONObject
    priority: int
    lineage: Lineage


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSleep:
    """A time to be waited for: so long from now, or until then."""

    call_id: CallId
    lasts: timedelta | None
    until: datetime | None
    #: The result of the call, once the time has come.
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """What the calls of a round wait for, once all others have ended."""

    interactions: tuple[NewInteraction, ...] = ()
    children: tuple[NewChild, ...] = ()
    sleeps: tuple[NewSleep, ...] = ()
    tasks: tuple[NewToolTask, ...] = ()
    runs: tuple[NewRun, ...] = ()
    #: The most sub-agents of the whole tree, those that have ended included.
    max_descendants: int = 0
    #: The most sub-agents of one round; `None`: as many as are asked for.
    max_breadth: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspended:
    """What a suspension brought about."""

    #: Whether the send waits now. If it does not, it is still running, and the claim still holds: its end was
    #: asked for (nothing was written then), or no call waits (any more).
    waiting: bool
    cancel_requested: bool
    #: Whether the time of its budget is over: nothing was written then either.
    out_of_time: bool = False
    #: The sends of the sub-agents, the tool tasks and the runs, to be published.
    started: tuple[Ready, ...] = ()
