"""Timers: durable wake-ups of a session, once, every so often or by cron. Their states, and what they say."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from powerloop.kernel.ids import SendId, SessionId, TimerId
from powerloop.kernel.jsontypes import JSONObject

#: The longest input of a timer, in characters.
MAX_INPUT_LENGTH: Final = 100_000
#: The most failures in a row that a timer may wait for; so many sends are looked at before a tick.
MAX_PAUSE_AFTER: Final = 100


class TimerStatus(StrEnum):
    """Where a timer is in its life.

    ::

        (schedule) ─► armed ─► done | cancelled
                       │  ▲
                       ▼  │
                      paused ─► cancelled
    """

    #: It has a next tick, and any beat fires it when that is due; or its last tick is held back until the
    #: send before it has ended. `schedule` moves it in, and so does a resume. If every beat dies, it is due
    #: when one is back, and fires as its `catch_up` says.
    ARMED = "armed"
    #: It fires no more until somebody resumes it; `reason` says why. `pause` moves it in, too many failures
    #: in a row do, and a timer that is made disarmed begins here. Ticks that pass meanwhile are nobody's.
    PAUSED = "paused"
    #: Its last tick has fired, or its end has come. Final.
    DONE = "done"
    #: Somebody cancelled it, or its session was closed; `reason` says why. Final.
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in (TimerStatus.DONE, TimerStatus.CANCELLED)


class DstRule(StrEnum):
    """What a cron expression means on the two days of a year on which local time jumps.

    It is asked of expressions with a fixed time of day, as in Debian's cron: neither the minute nor the hour
    begins with ``*``. Others follow the clock on the wall: each local time that they match fires as often as
    it is there.
    """

    #: A local time that is left out does not fire; one that comes twice fires the first time.
    SKIP = "skip"
    #: Once a day in any case: a local time that is left out fires when the clock has jumped over it; one that
    #: comes twice fires the first time. The default.
    ONCE = "once"
    #: As `ONCE`, but a local time that comes twice fires both times.
    TWICE = "twice"


class Overlap(StrEnum):
    """What a tick does while the send of the one before it has not ended."""

    #: Its send waits for its turn in the session; with a fresh session per tick, it runs beside it.
    ENQUEUE = "enqueue"
    #: It makes no send.
    SKIP = "skip"
    #: It is held back until that send has ended; further ticks make no send as long as one is held back.
    BUFFER_ONE = "buffer_one"
    #: That send is asked to end, and the new one waits for it.
    CANCEL_OTHER = "cancel_other"
    #: Its send becomes a message of the one that runs in the session, at its next round.
    STEER = "steer"


class CatchUp(StrEnum):
    """What becomes of ticks that were due while no beat ran."""

    #: None of them fires.
    SKIP = "skip"
    #: The last of them fires. The default.
    ONE = "one"
    #: Each fires, with its own due time; those within the window, if there is one.
    ALL = "all"


class TimerOwner(StrEnum):
    """Who has made a timer."""

    PRODUCER = "producer"
    #: The agent of its session, by a tool.
    AGENT = "agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a timer fires: exactly one of `at`, `after`, `every` and `cron`."""

    #: Once, at this instant.
    at: datetime | None = None
    #: Once, so long after it was scheduled.
    after: timedelta | None = None
    #: Every so often, by the clock of UTC: `start`, and so on. The phase is kept, whatever is late.
    every: timedelta | None = None
    #: By a cron expression: five fields, six with the seconds first, or an alias such as ``@daily``.
    cron: str | None = None
    #: The IANA name of the time zone that the expression is read in.
    tz: str = "UTC"
    dst: DstRule = DstRule.ONCE
    #: No tick is before it.
    start: datetime | None = None
    #: No tick is after it.
    end: datetime | None = None
    #: Each tick fires up to so much later, by a share of it that depends on the timer and the tick alone.
    jitter: timedelta = timedelta(0)

    @property
    def recurs(self) -> bool:
        """Whether it may have more than one tick."""
        return self.every is not None or self.cron is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerQuota:
    """How many live timers there may be already where one more is made."""

    #: Of the session that its agent has made.
    per_session: int
    #: Of all sessions of the agent that it has made; `None`: any number.
    per_agent: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerPlan:
    """What a timer does, as whoever makes it says."""

    schedule: Schedule
    #: The text of each send: a template, see `kernel.firing.render`.
    input: str
    overlap: Overlap = Overlap.ENQUEUE
    catch_up: CatchUp = CatchUp.ONE
    #: Of `CatchUp.ALL`: how old a tick may be; `None`: any age.
    catch_up_window: timedelta | None = None
    #: The most sends that it makes.
    max_fires: int | None = None
    #: It is paused once so many of its sends in a row have failed.
    pause_after: int | None = None
    #: Of each send, 0 to 9; higher goes first.
    priority: int = 0
    #: Of each send, and of each fresh session.
    metadata: JSONObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTimer:
    """A timer to be made."""

    id: TimerId
    #: The session that it wakes; `None`: each tick has a fresh one, of `agent`.
    session_id: SessionId | None
    #: Of fresh sessions; where there is a session, what the session says.
    agent: str
    plan: TimerPlan
    owner: TimerOwner = TimerOwner.PRODUCER
    #: Whether it is made paused.
    disarmed: bool = False
    #: Whether a timer of that id that is there already gets this plan.
    replace: bool = False
    quota: TimerQuota | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """A durable wake-up."""

    id: TimerId
    session_id: SessionId | None
    #: Of its session, or of fresh ones.
    agent: str
    owner: TimerOwner
    status: TimerStatus
    #: Why it is paused or cancelled; may be empty.
    reason: str
    plan: TimerPlan
    #: The instant of its next tick, by its schedule; `None`: there is none.
    tick_at: datetime | None
    #: When that fires: later than `tick_at` by its jitter, or as somebody postponed it.
    due_at: datetime | None
    #: Since when hooks of its agent are being asked about the tick that is due.
    asked_at: datetime | None
    #: The tick that is held back until the send before it has ended.
    held_at: datetime | None
    #: How many sends it has made.
    fires: int
    #: How many ticks made none: for their overlap, or by a veto.
    skips: int
    #: The last send that it made, and the tick of that.
    last_send_id: SendId | None
    last_tick_at: datetime | None
    created_at: datetime
    #: Since when it has been armed: failures before that are forgotten.
    armed_at: datetime
    #: When it became final.
    ended_at: datetime | None

    @property
    def is_live(self) -> bool:
        """Whether it may still fire."""
        return not self.status.is_final


class FiringOutcome(StrEnum):
    """What became of a tick."""

    #: It made a send.
    FIRED = "fired"
    #: It waits for the end of the send before it; or it did so when its timer ended.
    HELD = "held"
    #: It made none, as its overlap says.
    SKIPPED = "skipped"
    #: It made none: a hook said so.
    VETOED = "vetoed"
    #: It was due while no beat ran, and made none, as its catch-up says; and so did those after it, up to the
    #: next tick of the list.
    MISSED = "missed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """What became of one tick of a timer."""

    timer_id: TimerId
    #: The instant of the tick, by the schedule: with the timer, its name.
    tick_at: datetime
    outcome: FiringOutcome
    #: Which send of the timer it made, from 1; 0: none.
    number: int
    send_id: SendId | None
    #: Why it made none; empty if it did.
    detail: str
    at: datetime


#: Why timers are cancelled, or paused, that nobody has asked for.
SESSION_CLOSED: Final = "its session was closed"
DISARMED: Final = "made disarmed"

#: What the ids of messages begin with that have hooks asked about a timer.
TIMER_MESSAGE: Final = "timer:"

#: How long the hooks of a tick are waited for before it is asked about again: so long at first, and longer
#: once it has been due for a while.
ASKED_AGAIN: Final = timedelta(seconds=30)
ASKED_LONG: Final = timedelta(minutes=10)
A_WHILE: Final = timedelta(minutes=5)

#: Before any tick: no beat has ever been away.
EVER: Final = datetime(1, 1, 1, tzinfo=UTC)
