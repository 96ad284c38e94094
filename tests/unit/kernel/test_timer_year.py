"""A year of a daily timer: what fires is what the preview shows, on the days on which clocks jump too."""

from datetime import timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest

from powerloop.kernel.timers import CatchUp, DstRule, Schedule
from powerloop.timetable import CronTimetable
from tests.unit.kernel.clocks import BEGINNING
from tests.unit.kernel.timer_bench import Bench

YEAR = timedelta(days=365)
#: In New York the hour that comes twice is the one before half past two.
HOW_OFTEN = {
    ("Europe/Berlin", DstRule.SKIP): 364,
    ("Europe/Berlin", DstRule.ONCE): 365,
    ("Europe/Berlin", DstRule.TWICE): 366,
    ("America/New_York", DstRule.SKIP): 364,
    ("America/New_York", DstRule.ONCE): 365,
    ("America/New_York", DstRule.TWICE): 365,
}


@pytest.mark.parametrize(("zone", "rule"), HOW_OFTEN)
async def test_half_past_two_fires_by_its_rule_all_year_long(zone, rule):
    schedule = Schedule(cron="30 2 * * *", tz=zone, dst=rule)
    previewed = takewhile(lambda tick: tick < BEGINNING + YEAR, CronTimetable().ticks(schedule, BEGINNING))
    wanted = list(previewed)
    bench = Bench()
    timer = await bench.timer(schedule=schedule, catch_up=CatchUp.ALL)
    while timer.due_at < BEGINNING + YEAR:
        bench.clock.seconds = (timer.due_at - BEGINNING).total_seconds()
        await bench.loop.turn()
        timer = await bench.store.timers.find(timer.id)
    firings = await bench.store.timers.firings(timer.id, limit=1_000)
    assert [firing.tick_at for firing in reversed(firings)] == wanted
    assert len(firings) == HOW_OFTEN[zone, rule]
    local = {firing.tick_at.astimezone(ZoneInfo(zone)).strftime("%H:%M") for firing in firings}
    assert local == ({"02:30"} if rule is DstRule.SKIP else {"02:30", "03:00"})
