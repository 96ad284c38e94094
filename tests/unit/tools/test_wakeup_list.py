"""The tools by which an agent looks at its wake-ups, and cancels them."""

from dataclasses import replace

import pytest

from powerloop.kernel.calls import CallStatus, Effect
from powerloop.kernel.timer_edges import cancelled, moved, paused
from powerloop.tools import cancel_wakeup, list_wakeups, schedule_wakeup
from tests.unit.tools.fake_wakeups import NOTE, NOW, FakeWakeups


@pytest.fixture
def wakeups() -> FakeWakeups:
    return FakeWakeups()


async def listed(wakeups) -> list[str]:
    """The lines of the list, each without the id that it begins with."""
    lines = (await wakeups.use(list_wakeups())).text.splitlines()
    return [line.removeprefix(f"{one.id}: ") for one, line in zip(wakeups.timers, lines, strict=True)]


async def test_where_no_wake_up_is_to_come_a_model_is_told_so(wakeups):
    assert (await wakeups.use(list_wakeups())).text == "None."
    assert list_wakeups().spec.effect is Effect.READ


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"after_seconds": 60}, "2026-03-01T08:01:00+00:00; once"),
        (
            {"after_seconds": 60, "tz": "Asia/Tokyo"},
            "2026-03-01T17:01:00+09:00 (2026-03-01T08:01:00+00:00); once",
        ),
        ({"every_seconds": 2_500_000}, "00:00; every 2500000 seconds, until it is cancelled"),
        ({"every_seconds": 7.5}, "00:00; every 7.5 seconds, until it is cancelled"),
        (
            {"cron": "0 9 * * *", "max_times": 2},
            "00:00; by the cron expression 0 9 * * * in UTC, 2 times in all",
        ),
    ],
)
async def test_a_model_lists_when_it_will_be_woken(wakeups, arguments, told):
    await wakeups.use(schedule_wakeup(), {**NOTE, **arguments})

    [line] = await listed(wakeups)
    assert line.endswith(f"{told}; note: Look at order A-17.")


async def test_each_wake_up_is_one_line(wakeups):
    for number, note in enumerate(("Say {{hello}}\nto  all.", "x" * 500)):
        arguments = {"note": note, "after_seconds": 60}
        await wakeups.use(schedule_wakeup(), arguments, call_id=f"call-{number}")

    first, second = await listed(wakeups)
    assert first.endswith("; note: Say {{hello}} to all.")
    assert second.endswith(f"; note: {'x' * 199}…")


async def test_a_model_is_told_why_it_is_not_woken(wakeups):
    await wakeups.use(schedule_wakeup(), {**NOTE, "every_seconds": 60})
    [timer] = wakeups.timers
    wakeups.timers = [
        paused(timer, "5 of its sends in a row have failed"),
        paused(timer, ""),
        moved(replace(timer, held_at=NOW), None, NOW),
    ]

    assert [line.partition("; ")[0] for line in await listed(wakeups)] == [
        "paused (5 of its sends in a row have failed)",
        "paused",
        "as soon as you have answered the one before",
    ]


async def test_a_model_cancels_a_wake_up(wakeups):
    await wakeups.use(schedule_wakeup(), {**NOTE, "after_seconds": 60})
    [timer] = wakeups.timers

    for _ in range(2):
        outcome = await wakeups.use(cancel_wakeup(), {"wakeup_id": timer.id})
        assert (outcome.status, outcome.text) == (CallStatus.DONE, f"The wake-up {timer.id} is cancelled.")
        wakeups.timers = [cancelled(timer, "", NOW)]
    assert cancel_wakeup().spec.effect is Effect.IDEMPOTENT


async def test_a_model_is_told_that_there_is_nothing_to_cancel(wakeups):
    await wakeups.use(schedule_wakeup(), {**NOTE, "after_seconds": 60})
    wakeups.timers = [moved(wakeups.timers[0], None, NOW)]

    gone = await wakeups.use(cancel_wakeup(), {"wakeup_id": wakeups.timers[0].id})
    unknown = await wakeups.use(cancel_wakeup(), {"wakeup_id": "other"})
    nameless = await wakeups.use(cancel_wakeup(), {"wakeup_id": ""})

    assert {one.status for one in (gone, unknown, nameless)} == {CallStatus.FAILED}
    assert "has come already: there is nothing to cancel" in gone.text
    assert "you have scheduled no wake-up 'other' in this conversation" in unknown.text
    assert "wakeup_id" in nameless.text
