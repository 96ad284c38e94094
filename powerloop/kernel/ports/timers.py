"""Timers, as those who make them and the beats that fire them see them. One call is one transaction."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from powerloop.kernel.hooks.timers import TimerAnswer
from powerloop.kernel.ids import SessionId, TimerId
from powerloop.kernel.ports.timetable import Timetable
from powerloop.kernel.sends import Send
from powerloop.kernel.timers import Firing, NewTimer, Timer, TimerOwner, TimerStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """What one look at the timers came to."""

    #: The sends that were made and are the heads of their sessions, and those that are to end with nobody
    #: driving them: to be published.
    ready: tuple[Send, ...] = ()
    #: Sends that run, and are asked to end: whoever runs them is to be told.
    ended: tuple[Send, ...] = ()
    #: Timers whose agents have hooks that are to be asked about their tick: to be published.
    asked: tuple[Timer, ...] = ()
    #: How many ticks made a send.
    count: int = 0
    #: Whether more may be due now than was looked at.
    more: bool = False
    #: Whether some tool call has slept until its time by now.
    sleeps: bool = False
    #: How long it is until the next tick that is known of, or the end of the next sleep; `None`: none is.
    next_in: timedelta | None = None


class Timers(Protocol):
    """Durable wake-ups. Every method may raise `StoreUnavailable`; nothing was written then."""

    async def create(self, new: NewTimer, timetable: Timetable) -> Timer:
        """Write a timer, armed at its first tick. The same timer told again is the earlier one.

        Raises:
            SessionNotFound: there is no such session.
            SessionClosed: it is closed.
            TimerExists: the id is taken by one that does something else, and `replace` is not asked for.
            TimerQuotaReached: there are as many already as its quota allows.
            ScheduleInvalid: it would never fire.
            InvalidInput: its id is empty or too long.
        """
        ...

    async def find(self, timer_id: TimerId) -> Timer | None:
        """The timer, or `None`."""
        ...

    async def list(
        self,
        *,
        session_id: SessionId | None = None,
        agent: str | None = None,
        status: Sequence[TimerStatus] | None = None,
        owner: TimerOwner | None = None,
        before: TimerId | None = None,
        limit: int = 100,
    ) -> Sequence[Timer]:
        """Timers, latest made first (ties by id, descending).

        Args:
            session_id: Only those that wake this session.
            agent: Only those of this agent.
            status: Only those in one of these states.
            owner: Only those made by a producer, or by an agent.
            before: Only those after this one in the order of the list: the next page.
            limit: At most so many.
        """
        ...

    async def firings(self, timer_id: TimerId, *, limit: int = 100) -> Sequence[Firing]:
        """What became of its ticks, the latest tick first. An unknown timer has none."""
        ...

    async def pause(self, timer_id: TimerId, reason: str) -> Timer:
        """Have it fire no more until it is resumed. Pausing a paused one changes nothing.

        Raises:
            TimerNotFound: there is none of that id.
            TimerEnded: it is done or cancelled.
        """
        ...

    async def resume(self, timer_id: TimerId, timetable: Timetable) -> Timer:
        """Have it fire again, from its next tick on. Ticks that passed while it was paused fire no more, but
        for the one tick of a timer that fires once. Resuming an armed one changes nothing.

        Raises:
            TimerNotFound: there is none of that id.
            TimerEnded: it is done or cancelled.
            SessionClosed: its session is closed.
        """
        ...

    async def postpone(self, timer_id: TimerId, *, by: timedelta | None, until: datetime | None) -> Timer:
        """Have its next tick fire at another time: so much later than it was to, or at an instant. The ticks
        after that are as they were, but for those that pass before it fires: they are dropped.

        Raises:
            TimerNotFound: there is none of that id.
            TimerEnded: it has no next tick.
        """
        ...

    async def cancel(self, timer_id: TimerId, reason: str) -> Timer:
        """Have it fire no more, ever. The sends that it has made go on. Cancelling one that is done or
        cancelled changes nothing.

        Raises:
            TimerNotFound: there is none of that id.
        """
        ...

    async def trigger(self, timer_id: TimerId) -> tuple[Timer, Send, bool]:
        """Have it fire now, beside its schedule, whatever its overlap says and even while it is paused.

        Returns the timer, the send that it made, and whether that is the head of its session, so that it is
        to be published.

        Raises:
            TimerNotFound: there is none of that id.
            TimerEnded: it is done or cancelled.
            SessionClosed: its session is closed.
        """
        ...

    async def fire(self, timetable: Timetable, limit: int, *, agents: Collection[str] | None = None) -> Fired:
        """Fire what is due: each tick makes its send, and moves its timer on, in this one transaction.

        Any number of processes may call it at once. A timer that another one has locked, or whose session is
        being written to, is passed over; the next call finds it. Of one timer, one tick is fired at a time.

        A tick of an agent with timer hooks makes no send: it is marked as asked about, and returned; `settle`
        fires it. If that has not come after half a minute, it is returned again; after some minutes, every
        ten.

        Args:
            timetable: Reads the schedules.
            limit: The most timers of each kind that are looked at: due or held back, with a session or not.
            agents: Only those of these agents; `None`: of any.
        """
        ...

    async def settle(self, asked: Timer, answer: TimerAnswer, timetable: Timetable) -> Fired:
        """Do with a tick what hooks have made of it.

        Args:
            asked: The timer as it was when they were asked. If it stands at another tick by now, has another
                plan, or is not asked about, nothing is done.
            answer: What they said.
            timetable: Reads the schedule.
        """
        ...


class Beats(Protocol):
    """What beats know of each other. Every method may raise `StoreUnavailable`."""

    async def alive(self, patience: timedelta) -> datetime:
        """Say that a beat runs. When the beats came back the last time that none had said so for longer than
        `patience`: now, if that is so at the moment.

        Ticks that were due before that instant are late because no beat ran. It lies in the past if beats
        have always run.
        """
        ...

    async def silence(self) -> timedelta | None:
        """How long ago a beat last said that it runs; `None`: none ever has."""
        ...

    async def lead(self, holder: str, ttl: timedelta) -> bool:
        """Take or renew the lead of the beats, for so long; whether `holder` has it."""
        ...

    async def resign(self, holder: str) -> None:
        """Give the lead up, if `holder` has it."""
        ...

    async def last_runs(self) -> dict[str, tuple[datetime, int]]:
        """Of each entry of Celery's ``beat_schedule`` that was ever sent: when it was last, and how often."""
        ...

    async def ran(self, name: str, at: datetime, count: int) -> None:
        """Write down that an entry was sent."""
        ...
