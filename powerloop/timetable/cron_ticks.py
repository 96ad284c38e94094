"""Cron ticks: at which instants the local times of an expression are, on days on which clocks jump too.

cronsim is asked for local times without a zone only, and what instants those are is found here. Given a zone,
cronsim 2.8 knows one rule of the three; from within an hour that comes twice it goes back to the first one,
and names instants that have passed; around jumps of less than an hour (Lord Howe) and over midnight (São
Paulo) it omits local times that are there, or names some that are not; and where a clock went back over
midnight (St. John's, 2006) it may not return at all.
"""

from collections import deque
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from powerloop.kernel.timers import DstRule
from powerloop.timetable.cron import Cron
from powerloop.timetable.zones import Reading, read_wall, wall_at


def cron_ticks(cron: Cron, zone: ZoneInfo, dst: DstRule, after: datetime) -> Iterator[datetime]:
    """The ticks of an expression later than `after`, until the calendar ends.

    Args:
        cron: The expression.
        zone: That in which it is read.
        dst: The rule, if the expression has a fixed time of day.
        after: Any instant.
    """
    moves = cron.is_fixed and dst is not DstRule.SKIP
    repeats = not cron.is_fixed or dst is DstRule.TWICE
    last = after
    try:
        readings = (read_wall(wall, zone) for wall in cron.walls(_wall_before(after, zone)))
        for tick in _in_order(readings, moves=moves, repeats=repeats):
            # A tick that is moved to the end of a gap may meet others there.
            if tick > last:
                yield tick
                last = tick
    except OverflowError:
        return


def _in_order(readings: Iterator[Reading], *, moves: bool, repeats: bool) -> Iterator[datetime]:
    """The instants of local times. Each kind comes in order, first and second ones, but they interleave."""
    seconds: deque[datetime] = deque()
    for reading in readings:
        while seconds and seconds[0] <= reading.first:
            yield seconds.popleft()
        if moves or not reading.is_gap:
            yield reading.first
        if repeats and reading.second is not None:
            seconds.append(reading.second)
    yield from seconds


def _wall_before(after: datetime, zone: ZoneInfo) -> datetime:
    """A local time such that all which are at some instant later than `after` are later."""
    wall = wall_at(after, zone).replace(microsecond=0)
    reading = read_wall(wall, zone)
    # Where it comes twice, the clock is set back by so much between the two.
    return wall if reading.second is None else wall - (reading.second - reading.first)
