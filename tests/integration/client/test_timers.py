"""Timers through the face that producers see, fired in this process: in memory and in a file."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from powerloop import Agent, AsyncPowerLoop, PowerLoop
from powerloop.kernel.errors import (
    AgentUnknown,
    InvalidInput,
    ScheduleInvalid,
    SessionClosed,
    SessionNotFound,
    TimerEnded,
    TimerNotFound,
)
from powerloop.kernel.hooks import CancelTimer, ChangeInput, Hook, Postpone, TimerFiring, Veto
from powerloop.kernel.timers import CatchUp, DstRule, Overlap, TimerStatus

pytestmark = pytest.mark.integration

SOON = timedelta(milliseconds=50)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
BERLIN_AND_NEW_YORK = {
    # The day on which 02:30 is left out, and the one on which an hour comes twice.
    "Europe/Berlin": (datetime(2030, 3, 31, tzinfo=UTC), datetime(2030, 10, 27, tzinfo=UTC)),
    "America/New_York": (datetime(2030, 3, 10, tzinfo=UTC), datetime(2030, 11, 3, tzinfo=UTC)),
}


class Bell(Hook):
    """Says what the text of the timer asks for, the first time."""

    def __init__(self) -> None:
        self.asked = 0

    async def timer(self, context: TimerFiring) -> Veto | ChangeInput | Postpone | CancelTimer | None:
        self.asked += 1
        if self.asked > 1:
            return None
        return {
            "change": ChangeInput("changed"),
            "veto": Veto("not now"),
            "postpone": Postpone(SOON),
            "cancel": CancelTimer("over"),
        }.get(str(context.metadata.get("say")))


@pytest.fixture(params=["memory", "file"])
async def loop(request, tmp_path):
    path = ":memory:" if request.param == "memory" else tmp_path / "app.db"
    agents = [
        Agent(name="echo", model="scripted:echo"),
        Agent(name="rung", model="scripted:echo", hooks=[Bell()]),
    ]
    async with AsyncPowerLoop.local(path, agents=agents) as loop:
        yield loop


async def texts_of(loop, session_id):
    sends = sorted(await loop.list_sends(session_id=session_id), key=lambda send: send.position)
    return [send.text for send in sends if send.status == "completed"]


async def test_a_session_is_woken_once_and_every_so_often(loop, eventually):
    session = await loop.create_session("echo")
    once = await loop.schedule("once at {{due_at}}", session_id=session.id, after=SOON, tz="Asia/Kolkata")
    often = await loop.schedule("no {{tick}}", session_id=session.id, every=SECOND, max_fires=2)

    async def said():
        return len(await texts_of(loop, session.id)) == 3

    await eventually(said, "all have been answered", within=20)
    first, *others = await texts_of(loop, session.id)
    assert first == f"once at {_in_kolkata(once.tick_at)}"
    assert others == ["no 1", "no 2"]
    assert (await loop.get_timer(often.id)).status is TimerStatus.DONE
    assert [one.number for one in await loop.timer_firings(often.id)] == [2, 1]


def _in_kolkata(instant):
    return (instant + timedelta(hours=5.5)).strftime("%Y-%m-%dT%H:%M:%S+05:30")


async def test_a_fresh_session_is_made_per_tick(loop, eventually):
    await loop.schedule("hello", agent="echo", every=SECOND, max_fires=2, metadata={"tenant": "a"})

    async def woken():
        return len(await loop.list_sends(status="completed", metadata={"tenant": "a"})) == 2

    await eventually(woken, "both have been answered", within=20)
    sends = await loop.list_sends(metadata={"tenant": "a"})
    assert len({send.session_id for send in sends}) == 2
    assert len(await loop.list_sessions(metadata={"tenant": "a"})) == 2


@pytest.mark.parametrize("say", ["change", "veto", "postpone", "cancel"])
async def test_hooks_decide_about_a_tick(loop, eventually, say):
    session = await loop.create_session("rung")
    timer = await loop.schedule("plain", session_id=session.id, after=SOON, metadata={"say": say})

    async def is_over():
        return (await loop.get_timer(timer.id)).status.is_final

    await eventually(is_over, "the hook was asked", within=20)
    found = await loop.get_timer(timer.id)
    outcomes = [one.outcome.value for one in await loop.timer_firings(timer.id)]
    sends = await loop.list_sends(session_id=session.id)
    inputs = [block.text for send in sends for block in send.content]
    assert (outcomes, inputs, found.reason) == {
        "change": (["fired"], ["changed"], ""),
        "veto": (["vetoed"], [], ""),
        "postpone": (["fired"], ["plain"], ""),
        "cancel": ([], [], "over"),
    }[say]


async def test_a_timer_is_looked_at_and_steered(loop):
    session = await loop.create_session("echo")
    timer = await loop.schedule(
        "tick", session_id=session.id, cron="0 9 * * 1-5", tz="Europe/Berlin", id="nine"
    )
    assert [one.id for one in await loop.list_timers(session_id=session.id, status="armed")] == ["nine"]
    paused = await loop.pause_timer("nine", reason="holidays")
    assert (paused.status, paused.reason) == (TimerStatus.PAUSED, "holidays")
    assert (await loop.resume_timer("nine")).tick_at == timer.tick_at
    assert (await loop.postpone_timer("nine", by=HOUR)).due_at == timer.due_at + HOUR
    later = timer.tick_at + HOUR * 3
    assert (await loop.postpone_timer("nine", until=later)).due_at == later
    result = await (await loop.trigger_timer("nine")).result(timeout=20)
    assert result.text == "tick"
    assert (await loop.cancel_timer("nine", reason="enough")).reason == "enough"
    with pytest.raises(TimerEnded):
        await loop.resume_timer("nine")
    with pytest.raises(TimerNotFound):
        await loop.get_timer("ten")


async def test_the_same_schedule_told_at_every_start_is_one_timer_and_is_changed_by_replace(loop):
    session = await loop.create_session("echo")
    given = {"session_id": session.id, "cron": "@daily", "id": "daily"}
    first = await loop.schedule("hello", **given)
    assert await loop.schedule("hello", **given) == first
    changed = await loop.schedule("other", **given, replace=True)
    assert (changed.id, changed.plan.input) == (first.id, "other")
    assert len(await loop.list_timers()) == 1


async def test_a_timer_that_is_made_disarmed_waits_for_somebody_to_resume_it(loop, eventually):
    session = await loop.create_session("echo")
    timer = await loop.schedule("hello", session_id=session.id, after=SOON, disarmed=True)
    assert timer.status is TimerStatus.PAUSED
    await loop.resume_timer(timer.id)

    async def said():
        return await texts_of(loop, session.id) == ["hello"]

    await eventually(said, "it has fired", within=20)


@pytest.mark.parametrize("rule", list(DstRule))
@pytest.mark.parametrize("zone", BERLIN_AND_NEW_YORK)
async def test_the_preview_shows_what_will_fire_on_the_days_on_which_the_clock_changes(loop, zone, rule):
    session = await loop.create_session("echo")
    for day, wanted in zip(BERLIN_AND_NEW_YORK[zone], _on_both_days(zone, rule), strict=True):
        timer = await loop.schedule(
            "half past two", session_id=session.id, cron="30 2 * * *", tz=zone, dst=rule, start=day
        )
        ticks = await loop.preview_timer(timer.id, 3)
        previewed = await loop.preview_schedule(3, cron="30 2 * * *", tz=zone, dst=rule, start=day)
        assert list(ticks) == list(previewed)
        assert [tick.astimezone(ZoneInfo(zone)).date() for tick in ticks].count(day.date()) == wanted


def _on_both_days(zone, rule):
    """How often it fires on the day without half past two, and on the one on which an hour comes twice.

    In New York, that is the hour before.
    """
    in_autumn = 2 if rule is DstRule.TWICE and zone == "Europe/Berlin" else 1
    return 0 if rule is DstRule.SKIP else 1, in_autumn


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"cron": "0 0 31 2 *"}, ScheduleInvalid, "never"),
        ({"cron": "61 * * * *"}, ScheduleInvalid, "minute"),
        ({"cron": "@daily", "tz": "Europe/Berln"}, ScheduleInvalid, "Europe/Berlin"),
        ({"every": timedelta(milliseconds=10)}, ScheduleInvalid, "second"),
        ({"every": SECOND, "cron": "@daily"}, ScheduleInvalid, "one of"),
        ({}, ScheduleInvalid, "one of"),
        ({"at": datetime(2020, 1, 1, tzinfo=UTC)}, ScheduleInvalid, "past"),
        ({"at": datetime(2090, 1, 1)}, ScheduleInvalid, "zone"),  # noqa: DTZ001 - that is what is wrong
        ({"every": HOUR, "end": datetime(2020, 1, 1, tzinfo=UTC)}, ScheduleInvalid, "past"),
        ({"every": HOUR, "overlap": "skp"}, InvalidInput, "skip"),
        ({"every": HOUR, "max_fires": 0}, InvalidInput, "max_fires"),
        ({"every": HOUR, "priority": 10}, InvalidInput, "priority"),
        ({"every": HOUR, "catch_up_window": HOUR}, InvalidInput, "catch_up"),
        ({"every": HOUR, "agent": "echo"}, InvalidInput, "session"),
        ({"every": HOUR, "pause_after": 10**20}, InvalidInput, "pause_after"),
        ({"every": HOUR, "priority": "1"}, InvalidInput, "priority"),
        ({"every": HOUR, "priority": 1.5}, InvalidInput, "priority"),
        ({"every": HOUR, "catch_up": "all", "catch_up_window": 5}, InvalidInput, "catch_up_window"),
        ({"every": HOUR, "metadata": [1]}, InvalidInput, "metadata"),
        ({"every": HOUR, "id": 5}, InvalidInput, "id"),
        ({"every": HOUR, "id": "x" * 121}, InvalidInput, "id"),
        ({"every": HOUR, "end": datetime(9999, 12, 31, tzinfo=UTC)}, ScheduleInvalid, "2999"),
    ],
)
async def test_bad_input_is_told_where_the_timer_is_made_and_nothing_is(loop, options, error, says):
    session = await loop.create_session("echo")
    with pytest.raises(error) as raised:
        await loop.schedule("hello", session_id=session.id, **options)
    assert says in str(raised.value)
    assert list(await loop.list_timers()) == []


async def test_what_a_timer_cannot_be_postponed_by_is_told(loop):
    timer = await loop.schedule("hello", agent="echo", every=HOUR)
    for wrong in (
        {},
        {"by": -HOUR},
        {"by": 5},
        {"by": timedelta(days=10**6)},
        {"by": HOUR, "until": timer.due_at},
    ):
        with pytest.raises(InvalidInput):
            await loop.postpone_timer(timer.id, **wrong)
    with pytest.raises(ScheduleInvalid):
        await loop.postpone_timer(timer.id, until=datetime(2020, 1, 1, tzinfo=UTC))
    assert await loop.get_timer(timer.id) == timer


async def test_another_plan_keeps_what_was_counted_and_a_pause(loop):
    timer = await loop.schedule("hello", agent="echo", every=HOUR, id="t")
    await (await loop.trigger_timer(timer.id)).result(timeout=20)
    await loop.pause_timer(timer.id, reason="holidays")
    with pytest.raises(ScheduleInvalid, match="fired 1 times"):
        await loop.schedule("hello", agent="echo", every=HOUR, max_fires=1, id="t", replace=True)
    changed = await loop.schedule("other", agent="echo", every=HOUR, max_fires=2, id="t", replace=True)
    assert (changed.status, changed.reason, changed.fires) == (TimerStatus.PAUSED, "holidays", 1)
    assert len(await loop.preview_timer("t")) == 1


async def test_whom_a_timer_wakes_must_be_known(loop):
    with pytest.raises(SessionNotFound):
        await loop.schedule("hello", session_id="nobody", every=HOUR)
    with pytest.raises(AgentUnknown):
        await loop.schedule("hello", agent="nobody", every=HOUR)
    with pytest.raises(InvalidInput, match="steer"):
        await loop.schedule("hello", agent="echo", every=HOUR, overlap=Overlap.STEER)
    with pytest.raises(InvalidInput, match="due"):
        await loop.schedule("{{due}}", agent="echo", every=HOUR)
    session = await loop.create_session("echo")
    await loop.close_session(session.id)
    with pytest.raises(SessionClosed):
        await loop.schedule("hello", session_id=session.id, every=HOUR)


async def test_a_file_keeps_its_timers_and_catches_up_with_what_was_due_while_it_was_closed(
    tmp_path, eventually
):
    agents = [Agent(name="echo", model="scripted:echo")]
    async with AsyncPowerLoop.local(tmp_path / "app.db", agents=agents) as loop:
        session = await loop.create_session("echo")
        timer = await loop.schedule(
            "tick {{tick}}", session_id=session.id, after=timedelta(seconds=4), catch_up=CatchUp.ONE
        )
    await eventually(lambda: datetime.now(UTC) > timer.tick_at, "its time has passed", within=20)
    async with AsyncPowerLoop.local(tmp_path / "app.db", agents=agents) as loop:

        async def said():
            return await texts_of(loop, session.id) == ["tick 1"]

        await eventually(said, "it was caught up with", within=20)


def test_the_blocking_face_has_timers_too():
    with PowerLoop.local(":memory:", agents=[Agent(name="echo", model="scripted:echo")]) as loop:
        session = loop.create_session("echo")
        timer = loop.schedule("hello", session_id=session.id, every=HOUR)
        assert loop.trigger_timer(timer.id).result(timeout=20).text == "hello"
        assert [one.number for one in loop.timer_firings(timer.id)] == [1]
        assert len(loop.preview_timer(timer.id, 3)) == 3
        assert loop.cancel_timer(timer.id).status is TimerStatus.CANCELLED
