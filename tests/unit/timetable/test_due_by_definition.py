"""What is due, against the definition: each tick looked at, one after the other."""

from datetime import timedelta
from random import Random

import pytest

from powerloop.kernel.ports.timetable import Due
from powerloop.kernel.timer_edges import due_of
from powerloop.kernel.timers import CatchUp, Schedule
from powerloop.timetable import CronTimetable
from tests.unit.timetable.timers import DAY, HOUR, MINUTE, NOON, armed

timetable = CronTimetable()


@pytest.mark.parametrize("seed", range(10))
def test_what_is_due_is_what_the_definition_says(seed):
    random = Random(seed)
    for number in range(120):
        timer = any_timer(random, f"timer {number}")
        now = NOON + timedelta(seconds=random.randint(0, 2 * 86400))
        back_at = now - timedelta(seconds=random.choice([0, 30, 3600, random.randint(0, 3 * 86400)]))

        assert timetable.due(timer, now, back_at) == defined(timer, now, back_at), (timer, now, back_at)


def any_timer(random, id):
    jitter = random.choice([timedelta(0), timedelta(seconds=50), HOUR / 2, DAY])
    end = random.choice([None, None, NOON + timedelta(seconds=random.randint(0, 86400))])
    every = timedelta(seconds=random.choice([1, 60, 61, 900, 3600, 86400, random.randint(1, 9999)]))
    cron = random.choice(
        ["* * * * *", "*/7 2 * * *", "0 * * * *", "*/15 9-17 * * *", "0 9 * * *", "* * 1 * *"]
    )
    schedule = random.choice(
        [
            Schedule(cron=cron, jitter=jitter, end=end),
            Schedule(every=every, start=NOON, end=end, jitter=min(jitter, every / 2)),
        ]
    )
    tick_at = next(timetable.ticks(schedule, NOON + timedelta(seconds=random.randint(-1, 7200))), NOON)
    due_at = random.choice([None, None, tick_at + random.randint(-30, 300) * MINUTE])
    window = random.choice([None, MINUTE, HOUR, DAY, timedelta(seconds=random.randint(0, 86400))])
    return armed(schedule, random.choice(list(CatchUp)), tick_at=tick_at, due_at=due_at, window=window, id=id)


def defined(timer, now, back_at):
    catch_up, window = timer.plan.catch_up, timer.plan.catch_up_window
    fires, missed, let_go, next_at = [], [], [], None
    for tick, due_at in dues(timer):
        is_full = len(fires) + (1 if catch_up is CatchUp.ONE and missed else 0) >= 100
        if due_at > now or is_full:
            next_at = tick
            break
        if due_at > back_at:
            fires.append(tick)
        elif catch_up is CatchUp.ONE:
            missed.append(tick)
        elif catch_up is CatchUp.ALL and (window is None or tick >= now - window):
            fires.append(tick)
        else:
            let_go.append(tick)
    ticks = tuple(sorted(fires + missed[-1:]))
    return Due(ticks=ticks, missed_at=min(let_go + missed[:-1], default=None), next_at=next_at)


def dues(timer):
    schedule = timer.plan.schedule
    yield timer.tick_at, timer.due_at
    is_postponed = timer.due_at > due_of(timer.id, timer.tick_at, schedule.jitter)
    for tick in timetable.ticks(schedule, timer.due_at if is_postponed else timer.tick_at):
        yield tick, due_of(timer.id, tick, schedule.jitter)
