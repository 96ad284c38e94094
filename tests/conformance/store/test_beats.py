"""`Beats`: since when one runs, and which of them leads; `Retention`: what is old is found and removed."""

import asyncio
from datetime import UTC, datetime, timedelta

from powerloop.kernel.ids import SessionId
from tests.conformance.store.ticking import fire, hourly, made, plan

SHORT = timedelta(milliseconds=50)
LONG = timedelta(hours=1)
NOTHING = timedelta(0)


async def test_beats_that_have_always_run_came_back_once(desk):
    first = await desk.store.beats.alive(LONG)
    assert abs((first - datetime.now(UTC)).total_seconds()) < 5
    assert await desk.store.beats.alive(LONG) == first
    assert {await desk.store.beats.alive(LONG) for _ in range(3)} == {first}


async def test_a_beat_that_comes_after_a_silence_says_since_when(desk, eventually):
    first = await desk.store.beats.alive(LONG)

    async def came_back():
        await asyncio.sleep(SHORT.total_seconds() * 2)
        return (await desk.store.beats.alive(SHORT)) > first

    assert await eventually(came_back, "the silence is noticed")


async def test_how_long_no_beat_was_heard_of_is_told(desk):
    assert await desk.store.beats.silence() is None
    await desk.store.beats.alive(LONG)
    assert NOTHING <= await desk.store.beats.silence() < timedelta(seconds=5)


async def test_one_leads_until_it_resigns_or_goes_silent(desk, eventually):
    await desk.store.beats.alive(LONG)
    assert await desk.store.beats.lead("a", LONG)
    assert not await desk.store.beats.lead("b", LONG)
    assert await desk.store.beats.lead("a", LONG)
    await desk.store.beats.resign("b")
    assert not await desk.store.beats.lead("b", LONG)
    await desk.store.beats.resign("a")
    assert await desk.store.beats.lead("b", SHORT)

    async def taken():
        return await desk.store.beats.lead("a", LONG)

    assert await eventually(taken, "the lead has run out")


async def test_when_entries_last_ran_is_kept(desk):
    assert await desk.store.beats.last_runs() == {}
    at = datetime(2026, 5, 1, tzinfo=UTC)
    await desk.store.beats.ran("nightly", at, 1)
    await desk.store.beats.ran("nightly", at + LONG, 2)
    assert await desk.store.beats.last_runs() == {"nightly": (at + LONG, 2)}


async def at_rest(desk, age=NOTHING, limit=100):
    return list(await desk.store.retention.sessions_at_rest(age, limit))


async def test_a_session_is_at_rest_when_nothing_of_it_is_under_way(desk, eventually):
    busy, ended, timed = await desk.session(), await desk.session(), await desk.session()
    await desk.accept(busy)
    claim = await desk.claimed((await desk.accept(ended)).send)
    await desk.store.journal.finish(claim.fence, desk.completed())
    timer = await made(desk, timed, plan(schedule=hourly()), disarmed=True)
    assert await eventually(lambda: at_rest(desk), "it has ended") == [ended.id]
    assert await at_rest(desk, LONG) == []
    await desk.store.timers.cancel(timer.id, "")
    assert await at_rest(desk) == [ended.id, timed.id]


async def test_sessions_are_looked_at_window_by_window(desk):
    for number in range(3):
        await desk.session(f"s{number}")
    found = [await at_rest(desk, limit=2) for _ in range(2)]
    assert {SessionId("s0"), SessionId("s1")} <= {one for window in found for one in window}


async def test_old_timers_and_ticks_are_removed(desk, eventually):
    timer = await made(desk, await desk.session())
    live = await made(desk, await desk.session(), plan(schedule=hourly()))
    await fire(desk)
    retention = desk.store.retention
    assert (await retention.forget_timers(LONG, 10), await retention.forget_firings(LONG, 10)) == (0, 0)

    async def forgotten():
        return await retention.forget_firings(NOTHING, 1)

    assert await eventually(forgotten, "a moment has passed") == 1
    assert await retention.forget_timers(NOTHING, 10) == 1
    assert await desk.store.timers.find(timer.id) is None
    assert await desk.store.timers.find(live.id) is not None
