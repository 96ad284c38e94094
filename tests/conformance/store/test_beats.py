"""`Beats`: since when one runs, and which of them leads; `Retention`: what is old is found and removed."""

import asyncio
from datetime import UTC, datetime, timedelta

from powerloop.kernel.ids import SessionId
from powerloop.kernel.sessions import Lifecycle, NewSession, Origin
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


async def forgotten(desk, *named, age=NOTHING):
    """Those of the sessions that are removed."""
    return [one.id for one in named if await desk.store.retention.forget_session(one.id, age)]


async def test_a_session_is_removed_when_nothing_of_it_is_under_way(desk, eventually):
    busy, ended, timed = await desk.session(), await desk.session(), await desk.session()
    await desk.accept(busy)
    claim = await desk.claimed((await desk.accept(ended)).send)
    await desk.store.journal.finish(claim.fence, desk.completed())
    timer = await made(desk, timed, plan(schedule=hourly()), disarmed=True)
    assert await forgotten(desk, ended, age=LONG) == []
    assert await eventually(lambda: forgotten(desk, busy, ended, timed), "it has ended") == [ended.id]
    await desk.store.timers.cancel(timer.id, "")
    assert await forgotten(desk, timed) == [timed.id]
    assert await forgotten(desk, timed) == []


async def test_a_session_stays_with_all_that_is_bound_to_it_while_one_of_them_is_awake(desk, eventually):
    top = await desk.session("top")
    below = await bound(desk, "below", top)
    lowest = await bound(desk, "lowest", below)
    timer = await made(desk, lowest, plan(schedule=hourly()), disarmed=True)
    assert await forgotten(desk, top) == []
    await desk.store.timers.cancel(timer.id, "")
    assert await eventually(lambda: forgotten(desk, top), "nothing is awake") == [top.id]
    assert await desk.store.sessions.find(lowest.id) is None


async def bound(desk, name, parent):
    """A session of a sub-agent that ends with its parent."""
    origin = Origin(parent_id=parent.id, lifecycle=Lifecycle.LINKED)
    new = NewSession(id=SessionId(name), agent="helper", origin=origin)
    return await desk.store.sessions.create(new)


async def test_sessions_are_looked_at_window_by_window_but_for_those_that_are_bound(desk, eventually):
    sessions = [await desk.session(f"s{number}") for number in range(3)]
    await bound(desk, "below", sessions[0])

    async def all_are_late():
        return len((await desk.store.retention.sessions_at_rest(NOTHING, 100)).ids) == 3

    await eventually(all_are_late, "a moment has passed")
    windows = [await desk.store.retention.sessions_at_rest(NOTHING, 2) for _ in range(3)]
    assert [(list(one.ids), one.is_last) for one in windows] == [
        (["s0", "s1"], False),
        (["s2"], True),
        (["s0", "s1"], False),
    ]


async def test_old_timers_and_ticks_are_removed(desk, eventually):
    timer = await made(desk, await desk.session())
    live = await made(desk, await desk.session(), plan(schedule=hourly()))
    await fire(desk)
    await fire(desk)
    retention = desk.store.retention
    assert (await retention.forget_timers(LONG, 10), await retention.forget_firings(LONG, 10)) == (0, 0)

    async def removed():
        return await retention.forget_firings(NOTHING, 10)

    assert await eventually(removed, "a moment has passed") == 1
    # Those by which failures of a live timer are counted stay.
    assert await retention.forget_firings(NOTHING, 10) == 0
    assert len(await desk.store.timers.firings(live.id)) == 2
    assert await retention.forget_timers(NOTHING, 10) == 1
    assert await desk.store.timers.find(timer.id) is None
    assert await desk.store.timers.find(live.id) is not None
