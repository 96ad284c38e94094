"""The verbs that tell what timers will do, and change nothing."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

from powerloop.client.choices import chosen
from powerloop.client.timer_plans import TIMETABLE, checked_count, next_ticks
from powerloop.client.verbs import Verbs
from powerloop.kernel.errors import TimerNotFound
from powerloop.kernel.ids import TimerId
from powerloop.kernel.timer_edges import anchored
from powerloop.kernel.timers import DstRule, Schedule


class TimerPreviewVerbs(Verbs):
    """What a producer asks of schedules."""

    async def preview_timer(self, timer_id: str, count: int = 5) -> Sequence[datetime]:
        """The next ticks of a timer, in UTC, without their jitter: what it will fire, if nobody touches it.

        Raises:
            TimerNotFound: there is none of that id.
            InvalidInput: `count` is not from 1 to 1000.
        """
        timer = await self._backend.store.timers.find(TimerId(timer_id))
        if timer is None:
            raise TimerNotFound(timer_id)
        return next_ticks(timer, checked_count(count))

    async def preview_schedule(
        self,
        count: int = 5,
        *,
        every: timedelta | None = None,
        cron: str | None = None,
        tz: str = "UTC",
        dst: DstRule | str = DstRule.ONCE,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Sequence[datetime]:
        """The next ticks that a timer with this schedule would have, in UTC. Nothing is made.

        Raises:
            ScheduleInvalid: it cannot be followed.
            InvalidInput: `count` is not from 1 to 1000.
        """
        rule = chosen(DstRule, dst, "rule for clock changes")
        schedule = Schedule(every=every, cron=cron, tz=tz, dst=rule, start=start, end=end)
        TIMETABLE.check(schedule)
        now = datetime.now(UTC)
        return list(islice(TIMETABLE.ticks(anchored(schedule, now), now), checked_count(count)))
