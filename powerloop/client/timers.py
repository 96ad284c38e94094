"""The verbs of timers: schedule, look at, steer, preview."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from uuid6 import uuid7

from powerloop.client.choices import chosen
from powerloop.client.handles import SendHandle
from powerloop.client.publishing import published
from powerloop.client.timer_plans import (
    TIMETABLE,
    check_later,
    check_plan,
    checked_id,
    checked_input,
    checked_metadata,
)
from powerloop.client.verbs import Verbs
from powerloop.kernel.errors import InvalidInput, TimerNotFound
from powerloop.kernel.ids import SessionId, TimerId
from powerloop.kernel.timers import (
    CatchUp,
    DstRule,
    Firing,
    NewTimer,
    Overlap,
    Schedule,
    Timer,
    TimerPlan,
    TimerStatus,
)


class TimerVerbs(Verbs):
    """What a producer does with timers."""

    async def schedule(
        self,
        input: str,
        *,
        session_id: str | None = None,
        agent: str | None = None,
        at: datetime | None = None,
        after: timedelta | None = None,
        every: timedelta | None = None,
        cron: str | None = None,
        tz: str = "UTC",
        dst: DstRule | str = DstRule.ONCE,
        start: datetime | None = None,
        end: datetime | None = None,
        jitter: timedelta = timedelta(0),
        max_fires: int | None = None,
        overlap: Overlap | str = Overlap.ENQUEUE,
        catch_up: CatchUp | str = CatchUp.ONE,
        catch_up_window: timedelta | None = None,
        pause_after: int | None = None,
        priority: int = 0,
        metadata: Mapping[str, Any] | None = None,
        id: str | None = None,
        replace: bool = False,
        disarmed: bool = False,
    ) -> Timer:
        """Schedule sends: once, every so often, or by cron. It is durable when this returns.

        Any number of beats fire it; each of its ticks makes one send, whatever dies in between.

        Args:
            input: The text of each send. ``{{due_at}}``, ``{{date}}``, ``{{time}}`` (of the tick, in `tz`),
                ``{{tick}}`` (which send it is, from 1), ``{{timer_id}}`` and ``{{braces}}`` are filled in.
            session_id: The session that it wakes; or give `agent`.
            agent: The agent of a fresh session per tick.
            at: Once, at this instant: aware, and not in the past.
            after: Once, so long from now.
            every: Every so often, one second at least: first at `start`, or so long from now.
            cron: By a cron expression of five fields, or six with the seconds first, or ``@daily`` and such.
            tz: The IANA name of the zone that `cron` is read in.
            dst: What becomes of local times that are left out, or come twice, on the days on which the clock
                changes: ``once`` (default), ``skip`` or ``twice``; see `DstRule`.
            start: No tick is before it.
            end: No tick is after it.
            jitter: Each tick fires up to so much later, always as much for the same tick.
            max_fires: The most sends that it makes.
            overlap: What a tick does while the send of the one before has not ended: ``enqueue`` (default),
                ``skip``, ``buffer_one``, ``cancel_other`` or ``steer``; see `Overlap`.
            catch_up: What becomes of ticks that were due while no beat ran: the last of them fires (``one``,
                the default), none (``skip``), or each (``all``).
            catch_up_window: With ``all``: only those that are not older.
            pause_after: It is paused once so many of its sends in a row have failed.
            priority: 0 to 9, of each send.
            metadata: JSON, of each send; ``timer_id``, ``timer_due_at`` and ``timer_tick`` are added.
            id: Its name, 1 to 120 characters; a UUIDv7 unless given. The same timer told again is the same.
            replace: Whether a timer of that id which does something else is changed to this.
            disarmed: Whether it is made paused, to be resumed later.

        Raises:
            ScheduleInvalid: it would never fire, or what it is to follow is none; the message says why.
            SessionNotFound: there is no such session.
            SessionClosed: it is closed.
            AgentUnknown: workers have announced agents, and none of that name.
            TimerExists: the id is taken, and `replace` is not asked for.
            InvalidInput: an option is not what it must be.
        """
        schedule = Schedule(
            at=at,
            after=after,
            every=every,
            cron=cron,
            tz=tz,
            dst=chosen(DstRule, dst, "rule for clock changes"),
            start=start,
            end=end,
            jitter=jitter,
        )
        plan = TimerPlan(
            schedule=schedule,
            input=checked_input(input),
            overlap=chosen(Overlap, overlap, "overlap policy"),
            catch_up=chosen(CatchUp, catch_up, "choice for ticks that were missed"),
            catch_up_window=catch_up_window,
            max_fires=max_fires,
            pause_after=pause_after,
            priority=priority,
            metadata=checked_metadata(metadata),
        )
        check_plan(plan)
        new = NewTimer(
            id=TimerId(str(uuid7()) if id is None else checked_id(id)),
            session_id=None if session_id is None else SessionId(session_id),
            agent=await self._agent(session_id, agent, plan),
            plan=plan,
            disarmed=disarmed,
            replace=replace,
        )
        return await self._backend.store.timers.create(new, TIMETABLE)

    async def get_timer(self, timer_id: str) -> Timer:
        """A timer.

        Raises:
            TimerNotFound: there is none of that id.
        """
        timer = await self._backend.store.timers.find(TimerId(timer_id))
        if timer is None:
            raise TimerNotFound(timer_id)
        return timer

    async def list_timers(
        self,
        *,
        session_id: str | None = None,
        agent: str | None = None,
        status: TimerStatus | str | Sequence[TimerStatus | str] | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> Sequence[Timer]:
        """Timers, latest made first.

        Args:
            session_id: Only those that wake this session.
            agent: Only those of this agent.
            status: Only those in this state, or in one of these.
            before: The last timer of the page before; the next page comes.
            limit: At most so many.

        Raises:
            InvalidInput: there is no such state.
        """
        states = [status] if isinstance(status, str) else status
        return await self._backend.store.timers.list(
            session_id=None if session_id is None else SessionId(session_id),
            agent=agent,
            status=None
            if states is None
            else [chosen(TimerStatus, one, "state of a timer") for one in states],
            before=None if before is None else TimerId(before),
            limit=limit,
        )

    async def timer_firings(self, timer_id: str, *, limit: int = 100) -> Sequence[Firing]:
        """What became of the ticks of a timer, the latest first.

        Raises:
            TimerNotFound: there is none of that id.
        """
        timer = await self.get_timer(timer_id)
        return await self._backend.store.timers.firings(timer.id, limit=limit)

    async def pause_timer(self, timer_id: str, *, reason: str = "") -> Timer:
        """Have a timer fire no more until it is resumed. Pausing a paused one changes nothing.

        Raises:
            TimerNotFound: there is none of that id.
            TimerEnded: it is done or cancelled.
        """
        return await self._backend.store.timers.pause(TimerId(timer_id), reason)

    async def resume_timer(self, timer_id: str) -> Timer:
        """Have a timer fire again, from its next tick on. Ticks that passed while it was paused are gone; a
        timer that fires once, and whose time has passed, fires at once.

        Raises:
            TimerNotFound: there is none of that id.
            TimerEnded: it is done or cancelled.
            SessionClosed: its session is closed.
        """
        return await self._backend.store.timers.resume(TimerId(timer_id), TIMETABLE)

    async def postpone_timer(
        self, timer_id: str, *, by: timedelta | None = None, until: datetime | None = None
    ) -> Timer:
        """Have the next tick of a timer fire later; those after it stay as they are, but for such as pass
        before it fires: they are dropped.

        Args:
            timer_id: The timer.
            by: So much later than it was to; or give `until`.
            until: At this instant, which may be sooner than it was to.

        Raises:
            TimerNotFound: there is none of that id.
            TimerEnded: it has no next tick.
            ScheduleInvalid: the instant lies in the past.
            InvalidInput: neither or both are given, or it is no span of time.
        """
        check_later(by, until)
        return await self._backend.store.timers.postpone(TimerId(timer_id), by=by, until=until)

    async def trigger_timer(self, timer_id: str) -> SendHandle:
        """Have a timer fire now, beside its schedule, even while it is paused. Its overlap does not matter,
        and its hooks are not asked. It counts as one of its `max_fires`.

        Raises:
            TimerNotFound: there is none of that id.
            TimerEnded: it is done or cancelled.
            SessionClosed: its session is closed.
        """
        _, send, is_head = await self._backend.store.timers.trigger(TimerId(timer_id))
        if is_head:
            await published(self._backend.dispatcher, send)
        return self._handle(send)

    async def cancel_timer(self, timer_id: str, *, reason: str = "") -> Timer:
        """Have a timer fire no more, ever; the sends that it has made go on. Cancelling it twice changes
        nothing.

        Raises:
            TimerNotFound: there is none of that id.
        """
        return await self._backend.store.timers.cancel(TimerId(timer_id), reason)

    async def _agent(self, session_id: str | None, agent: str | None, plan: TimerPlan) -> str:
        """Whose sends they are; empty where the session says.

        Raises:
            InvalidInput: it is not said whom the timer wakes, or twice.
            AgentUnknown: there is no such agent.
        """
        if (session_id is None) == (agent is None):
            raise InvalidInput(
                "a timer wakes a session, or an agent in a fresh session per tick.",
                hint="Give one of session_id and agent.",
            )
        if agent is None:
            return ""
        if plan.overlap is Overlap.STEER:
            raise InvalidInput(
                "with a fresh session per tick there is nothing to steer into.",
                hint="Give a session_id, or another overlap.",
            )
        await self._producer.check_agent(agent)
        return agent
