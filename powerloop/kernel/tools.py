"""What a tool is to the kernel: a description for the model, and one coroutine to call."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from powerloop.kernel.calls import Effect
from powerloop.kernel.ids import CallId, SendId, SessionId, TimerId
from powerloop.kernel.jsontypes import JSONObject
from powerloop.kernel.queues import QueueName
from powerloop.kernel.timers import NewTimer, Timer
from powerloop.kernel.waits import Wait

DepsT_co = TypeVar("DepsT_co", covariant=True)

#: Says of a call whether a person must allow it: of ``(arguments)`` or ``(context, arguments)``. `False`: no;
#: `True`: yes; a text: yes, and this is what the person is asked.
ApprovalRule: TypeAlias = Callable[..., "bool | str | Awaitable[bool | str]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """That a person must allow calls of a tool before they run."""

    #: Which calls; `None`: all of them.
    rule: ApprovalRule | None = None
    #: How long an answer is waited for, before the call is denied; `None`: for ever.
    within: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """What the model is told about a tool, and what the executor must know of it."""

    #: 1 to 64 characters of letters, digits, ``_`` and ``-``: what every provider takes.
    name: str
    description: str
    #: JSON Schema of the arguments, an object.
    parameters: Mapping[str, Any]
    effect: Effect
    #: Whether it may run at the same time as other calls of its round. Calls that may not run one after
    #: another.
    concurrent: bool = True
    #: How long one call may take; `None`: as long as it likes.
    timeout: timedelta | None = None
    #: Whether a person must allow its calls; `None`: nobody is asked.
    approval: Approval | None = None
    #: Where its calls run; `None`: in the process that runs the send.
    queue: QueueName | None = None


class RunReader(Protocol):
    """Looks at runs of workflows, for tools of ours."""

    async def told(self, session_id: SessionId, name: str) -> str | None:
        """How far a run is that this session has started, in words for the model; `None`: there is none.

        Args:
            session_id: The session of the tool's call.
            name: The id of the run, or of its session.
        """
        ...


class Wakeups(Protocol):
    """Wakes sessions later, for tools of ours. Every coroutine may raise `StoreUnavailable`."""

    async def schedule(self, new: NewTimer, *, shortest: timedelta, longest: timedelta) -> Timer:
        """Make the timer. The one of that id that its session has already is returned as it is, even if it
        has fired: the call that made it runs again.

        Args:
            new: It wakes the session of the tool's call.
            shortest: Its first tick is not sooner than this, and no two of its ticks are nearer. A cron
                expression is followed from then on.
            longest: Its first tick is not later than this.

        Raises:
            ScheduleInvalid: it cannot be followed, would never fire, or is not within these bounds.
            TimerQuotaReached: there are as many already as its quota allows.
            SessionClosed: its session is closed.
            InvalidInput: another part of it is not what it must be.
        """
        ...

    async def list(self, session_id: SessionId) -> Sequence[Timer]:
        """The live timers of the session that its agent has made, soonest first."""
        ...

    async def cancel(self, session_id: SessionId, timer_id: TimerId) -> Timer | None:
        """Have a timer fire no more. One that fires no more is returned as it is; `None`: the agent of the
        session has made none of that id."""
        ...

    def upcoming(self, timer: Timer, count: int) -> Sequence[datetime]:
        """The next ticks of the timer, in UTC; none of one that fires no more."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext(Generic[DepsT_co]):
    """What a tool may know about the call that it serves. Ask for it as the first argument."""

    session_id: SessionId
    send_id: SendId
    call_id: CallId
    #: The name of the agent that calls.
    agent: str
    #: The same after every crash: pass it to the outside world (`Effect.KEYED`).
    idempotency_key: str
    #: How many times the send was claimed, or the call where it has a queue of its own; 1 unless a process
    #: died or handed over.
    attempt: int
    #: The agent's `deps`: what the application wants its tools to have.
    deps: DepsT_co
    #: The metadata of the send.
    metadata: JSONObject = field(default_factory=dict)
    #: The names of all the tools of the agent that calls.
    tools: tuple[str, ...] = ()
    #: How the agent that calls differs from one that workers know (`kernel.subagents.narrowed`); `None`: not.
    spec: JSONObject | None = None
    #: `None`: nobody can look at runs here.
    runs: RunReader | None = None
    #: `None`: nothing wakes sessions here.
    wakeups: Wakeups | None = None


class Tool(Protocol):
    """Something an agent can call."""

    @property
    def spec(self) -> ToolSpec:
        """What it is; the same at every call."""
        ...

    async def call(self, context: ToolContext[Any], arguments: Mapping[str, Any]) -> str | Wait:
        """Carry out one call and return what the model shall see, or what the call waits for.

        Raises:
            ToolError: the call failed, in words that help the model to mend it.
        """
        ...
