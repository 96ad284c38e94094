"""The tool by which an agent schedules its wake-ups: what it asks for, refuses and tells."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerloop.kernel.calls import CallStatus, Effect
from powerloop.kernel.errors import (
    InvalidInput,
    ScheduleInvalid,
    SessionClosed,
    TimerQuotaReached,
    ToolError,
)
from powerloop.kernel.firing import release
from powerloop.kernel.timers import CatchUp, Overlap, Schedule, TimerOwner, TimerQuota
from powerloop.tools import cancel_wakeup, list_wakeups, schedule_wakeup
from powerloop.tools.builtin.wakeup_arguments import note_of
from tests.unit.tools.fake_wakeups import NOTE, NOW, SOON, FakeWakeups


@pytest.fixture
def wakeups() -> FakeWakeups:
    return FakeWakeups()


@pytest.mark.parametrize(
    ("arguments", "schedule"),
    [
        ({"after_seconds": 90}, Schedule(after=timedelta(seconds=90))),
        ({"after_seconds": 7.5, "tz": None}, Schedule(after=timedelta(seconds=7.5))),
        ({"at": "2026-03-01T10:00:00+01:00"}, Schedule(at=NOW + timedelta(hours=1))),
        ({"at": "2026-03-01T09:00:00Z"}, Schedule(at=NOW + timedelta(hours=1))),
        (
            {"every_seconds": 60, "tz": "Europe/Berlin"},
            Schedule(every=timedelta(minutes=1), tz="Europe/Berlin"),
        ),
        ({"cron": "0 9 * * *", "tz": "Asia/Tokyo"}, Schedule(cron="0 9 * * *", tz="Asia/Tokyo")),
    ],
)
async def test_a_model_says_when_it_is_to_be_woken(wakeups, arguments, schedule):
    outcome = await wakeups.use(schedule_wakeup(), {**NOTE, **arguments})

    [(new, shortest, longest)] = wakeups.asked
    assert outcome.status is CallStatus.DONE
    assert new.plan.schedule == schedule
    assert (new.session_id, new.agent, new.owner) == ("session-1", "support", TimerOwner.AGENT)
    assert (shortest, longest) == (timedelta(seconds=5), timedelta(days=30))
    assert new.quota == TimerQuota(per_session=10)


async def test_a_wake_up_that_is_once_waits_for_its_turn(wakeups):
    await wakeups.use(schedule_wakeup(), {**NOTE, "after_seconds": 90})

    plan = wakeups.timers[0].plan
    assert (plan.overlap, plan.catch_up, plan.pause_after, plan.max_fires) == (
        Overlap.ENQUEUE,
        CatchUp.ONE,
        None,
        None,
    )


async def test_a_recurring_wake_up_floods_no_session_and_stops_where_it_only_fails(wakeups):
    await wakeups.use(schedule_wakeup(), {**NOTE, "every_seconds": 90, "max_times": 7})

    plan = wakeups.timers[0].plan
    assert (plan.overlap, plan.catch_up, plan.pause_after, plan.max_fires) == (
        Overlap.BUFFER_ONE,
        CatchUp.ONE,
        5,
        7,
    )


async def test_the_author_of_an_agent_says_how_far_it_may_go(wakeups):
    tool = schedule_wakeup(
        shortest=timedelta(minutes=1), longest=timedelta(hours=2), per_session=3, per_agent=100, name="later"
    )
    await wakeups.use(tool, {**NOTE, "after_seconds": 60})

    [(new, shortest, longest)] = wakeups.asked
    assert tool.spec.name == "later"
    assert (shortest, longest) == (timedelta(minutes=1), timedelta(hours=2))
    assert new.quota == TimerQuota(per_session=3, per_agent=100)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"after_seconds": 9}, "note is missing"),
        ({"note": " \n", "after_seconds": 9}, "note should say what you are to be told then"),
        ({"note": "x" * 10_001, "after_seconds": 9}, "note is wrong"),
        (NOTE, "exactly one of after_seconds, at, every_seconds, cron\n"),
        ({**NOTE, "after_seconds": 9, "cron": "0 9 * * *"}, "cron, not after_seconds and cron"),
        ({**NOTE, "after_seconds": 4.9}, "after_seconds is wrong: 4.9 is less than the minimum of 5.0"),
        ({**NOTE, "after_seconds": 3e6}, "greater than the maximum of 2592000.0"),
        ({**NOTE, "after_seconds": 1e300}, "greater than the maximum of 2592000.0"),
        ({**NOTE, "after_seconds": float("nan")}, "after_seconds should be a number, not NaN"),
        ({**NOTE, "after_seconds": "9"}, "after_seconds should be of type number"),
        ({**NOTE, "every_seconds": 1}, "every_seconds is wrong: 1 is less than the minimum of 5.0"),
        (
            {**NOTE, "at": "tomorrow"},
            'with its offset from UTC, such as 2026-03-01T09:00:00+01:00, not "tomo',
        ),
        ({**NOTE, "at": "2026-03-01T09:00:00"}, "with its offset from UTC"),
        ({**NOTE, "at": "0001-01-01T00:00:00+14:00"}, "with its offset from UTC"),
        ({**NOTE, "after_seconds": 9, "max_times": 2}, "max_times goes with every_seconds or cron only"),
        ({**NOTE, "cron": "0 9 * * *", "max_times": 0}, "max_times is wrong"),
        (
            {**NOTE, "afters_seconds": 9},
            "afters_seconds is not an argument of this tool; did you mean 'after_seconds'?",
        ),
    ],
)
async def test_a_model_is_told_what_is_wrong_with_a_call(wakeups, arguments, told):
    outcome = await wakeups.use(schedule_wakeup(), arguments)

    assert outcome.status is CallStatus.FAILED
    assert told in outcome.text
    assert wakeups.asked == []


@pytest.mark.parametrize("argument", [{"every_seconds": 60}, {"cron": "0 9 * * *"}, {"max_times": 2}])
async def test_where_nothing_recurs_there_are_no_arguments_for_it(wakeups, argument):
    tool = schedule_wakeup(recurring=False)
    [name] = argument

    assert f"{name} is not an argument of this tool" in (await wakeups.use(tool, {**NOTE, **argument})).text
    assert (await wakeups.use(tool, {**NOTE, "after_seconds": 60})).status is CallStatus.DONE


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (ScheduleInvalid("it would never fire.", hint="Try tomorrow."), "it would never fire. Try tomorrow."),
        (
            TimerQuotaReached(10, "this session"),
            "this session has 10 wake-ups already, the most that it may have. Can",
        ),
        (SessionClosed("session-1"), "this conversation is closed: nothing can wake you in it any more."),
        (InvalidInput("the input of a timer is a text."), "the input of a timer is a text."),
    ],
)
async def test_a_model_is_told_why_a_wake_up_is_refused(wakeups, refusal, told):
    wakeups.refuses = refusal

    outcome = await wakeups.use(schedule_wakeup(), {**NOTE, "after_seconds": 60})

    assert outcome.status is CallStatus.FAILED
    assert outcome.text.startswith(told)


@pytest.mark.parametrize(
    "tool", [schedule_wakeup(), list_wakeups(), cancel_wakeup()], ids=lambda tool: tool.spec.name
)
async def test_where_nothing_wakes_sessions_a_model_is_told_so(context, tool):
    arguments = {
        "schedule_wakeup": {**NOTE, "after_seconds": 60},
        "cancel_wakeup": {"wakeup_id": "w"},
    }
    with pytest.raises(ToolError, match="no wake-ups here"):
        await tool.call(context, arguments.get(tool.spec.name, {}))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"after_seconds": 60}, "It wakes you at 2026-03-01T08:01:00+00:00."),
        (
            {"after_seconds": 60, "tz": "Europe/Berlin"},
            "It wakes you at 2026-03-01T09:01:00+01:00 (2026-03-01T08:01:00+00:00).",
        ),
        (
            {"every_seconds": 60},
            ", then at 2026-03-01T08:02:00+00:00 and at 2026-03-01T08:03:00+00:00, until it is cancelled.",
        ),
        ({"every_seconds": 60, "max_times": 9}, "and at 2026-03-01T08:03:00+00:00, 9 times in all."),
        ({"every_seconds": 60, "max_times": 1}, ", 1 time in all."),
    ],
)
async def test_a_model_is_told_when_it_will_be_woken(wakeups, arguments, told):
    text = (await wakeups.use(schedule_wakeup(), {**NOTE, **arguments})).text

    assert text.startswith(f"The wake-up {wakeups.timers[0].id} is scheduled. It wakes you at ")
    assert text.endswith(told)


async def test_a_call_that_runs_again_asks_for_the_same_wake_up(wakeups):
    tool = schedule_wakeup()
    for call_id in ("call-1", "call-1", "call-2"):
        await wakeups.use(tool, {**NOTE, "after_seconds": 60}, call_id=call_id)

    first, again, other = (new.id for new, _, _ in wakeups.asked)
    assert first == again != other
    assert tool.spec.effect is Effect.IDEMPOTENT


async def test_a_call_that_runs_again_long_after_is_told_what_became_of_it(wakeups, monkeypatch):
    monkeypatch.setattr(wakeups, "upcoming", lambda timer, count: ())
    text = (await wakeups.use(schedule_wakeup(), {**NOTE, "after_seconds": 60})).text
    assert text.endswith("was scheduled, and is armed by now.")


@given(note=st.text(st.sampled_from("{{}} xbraces_due_at\n")))
async def test_a_note_arrives_as_it_was_written(note):
    wakeups = FakeWakeups()
    await wakeups.use(schedule_wakeup(), {"note": f"!{note}", "after_seconds": 60})

    [timer] = wakeups.timers
    order = release(replace(timer, held_at=SOON), SOON).order
    assert order is not None
    assert order.content[0].text == f"[wake-up {timer.id}, due 2026-03-01T08:01:00+00:00] !{note}"
    assert note_of(timer.plan) == f"!{note}"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"shortest": timedelta(0)}, "shortest"),
        ({"shortest": None}, "shortest"),
        ({"longest": 60}, "longest"),
        ({"longest": timedelta(days=3651)}, "3650 days"),
        ({"shortest": timedelta(2), "longest": timedelta(1)}, "is longer than longest"),
        ({"per_session": 0}, "per_session=0 is not a number from 1 to 1000"),
        ({"per_session": 1001}, "from 1 to 1000"),
        ({"per_session": True}, "per_session"),
        ({"per_agent": 0}, "per_agent=0 is not a number from 1"),
        ({"name": "wake up"}, "cannot be the name of a tool"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, told):
    with pytest.raises(InvalidInput, match=told):
        schedule_wakeup(**options)
