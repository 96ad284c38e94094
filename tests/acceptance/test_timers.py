"""Timers fired by real beats: by three at once, by such that are killed, and by none for a while."""

import asyncio
import signal
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import redis

from powerloop import AsyncPowerLoop
from powerloop.kernel.crash_points import CrashPoint
from powerloop.kernel.queues import SEND_QUEUE
from powerloop.queue.routing import redis_lists

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

#: What a beat imports that is to die at a point.
DOOMED = """
import os

from powerloop.beat.celery import build_app
from powerloop.settings import read_settings
from powerloop.testing import crash_at

crash_at(os.environ["POINT"])
app = build_app(read_settings())
"""
POINTS = (
    CrashPoint.BEFORE_FIRE,
    CrashPoint.DURING_FIRE,
    CrashPoint.AFTER_FIRE,
    CrashPoint.AFTER_FIRE_PUBLISH,
)
MANY = 10_000
#: Copies of the one timer that there is, each with a session of its own, due in the same second.
COPIES = """
INSERT INTO sessions (id, agent, status, metadata, epoch, seq, accepted, finished, created_at, updated_at,
                      policy, steering)
SELECT 'many-' || n, agent, status, metadata, 0, 0, 0, 0, created_at, updated_at, policy, 0
  FROM sessions, generate_series(1, {count}) AS n WHERE id = 'first';
INSERT INTO timers (id, session_id, agent, owner, status, reason, plan, tick_at, due_at, fires, skips,
                    created_at, armed_at)
SELECT 'many-' || n, 'many-' || n, agent, owner, status, reason, plan, tick_at, due_at, 0, 0,
       created_at, armed_at
  FROM timers, generate_series(1, {count}) AS n WHERE id = 'first';
"""


def messages(system) -> Counter[str]:
    """How many messages lie in the queue of sends, by the id of the send."""
    with redis.Redis.from_url(system.settings.redis_url, decode_responses=True) as client:
        found = [text for name in redis_lists(SEND_QUEUE) for text in client.lrange(name, 0, -1)]
    return Counter(text.partition('"id": "')[2].partition('"')[0] for text in found)


def query(system, sql: str):
    with psycopg.connect(
        system.settings.database_url, autocommit=True, options="-c search_path=powerloop"
    ) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchall() if cursor.description else []


@pytest.mark.takes("machine")
async def test_three_beats_one_of_them_killed_fire_ten_thousand_timers_once_each(
    system, loop: AsyncPowerLoop, eventually
):
    beats = [system.start_beat() for _ in range(3)]
    for beat in beats:
        beat.wait_for("beat started")
    await loop.create_session("echo", id="first")
    due = datetime.now(UTC) + timedelta(seconds=12)
    await loop.schedule("wake up", session_id="first", id="first", at=due)
    query(system, COPIES.format(count=MANY - 1))
    assert datetime.now(UTC) < due, "the timers were made in time"

    def fired() -> int:
        return query(system, "SELECT count(*) FROM timer_firings")[0][0]

    await eventually(lambda: fired() > 500, "they fire", within=40)
    beats[1].kill()
    await eventually(lambda: fired() == MANY, "all have fired", within=40)
    (last,) = query(system, "SELECT max(created_at) FROM sends")[0]
    sys.stdout.write(f"{MANY} timers: the last was enqueued {(last - due).total_seconds():.2f} s late\n")
    keys = Counter(key for (key,) in query(system, "SELECT idempotency_key FROM sends"))
    assert (len(keys), set(keys.values())) == (MANY, {1})
    # What the killed beat did not publish is found by the sweepers of the others.
    await eventually(lambda: len(messages(system)) == MANY, "all are published", within=60)


@pytest.mark.parametrize("point", POINTS)
async def test_a_beat_that_is_killed_at_any_boundary_fires_each_tick_once(
    system, loop: AsyncPowerLoop, eventually, point
):
    system.add_app("doomed_beat", DOOMED)
    sessions = [await loop.create_session("echo") for _ in range(5)]
    soon = timedelta(seconds=0.2)
    once = [await loop.schedule("once", session_id=one.id, after=soon) for one in sessions]
    often = await loop.schedule("{{tick}}", agent="echo", every=timedelta(seconds=1), max_fires=3)
    doomed = system.start_beat(celery_app="doomed_beat", POINT=point)
    await eventually(lambda: not doomed.is_alive, "the beat is dead", within=30)
    assert doomed.process.returncode == -signal.SIGKILL, doomed.output()
    system.start_worker()
    system.start_beat(POWERLOOP_SWEEP_INTERVAL="0.2")

    async def is_over() -> bool:
        timers = [await loop.get_timer(timer.id) for timer in (*once, often)]
        return all(timer.status == "done" for timer in timers)

    await eventually(is_over, "all timers are done", within=40)
    sends = await loop.list_sends(limit=1_000)
    handles = [await loop.get_send(send.id) for send in sends]
    results = await asyncio.gather(*(handle.result(timeout=30) for handle in handles))
    assert all(result.ok for result in results)
    ticks = Counter((send.metadata["timer_id"], send.metadata["timer_due_at"]) for send in sends)
    assert set(ticks.values()) == {1}
    assert {timer.id for timer in once} <= {timer_id for timer_id, _ in ticks}


async def test_after_three_periods_without_a_beat_each_timer_catches_up_as_it_says(
    system, loop: AsyncPowerLoop, eventually
):
    period = timedelta(seconds=2)
    session = await loop.create_session("echo")
    timers = {
        name: await loop.schedule(
            name, session_id=session.id, every=period, start=datetime.now(UTC) + period, catch_up=name
        )
        for name in ("skip", "one", "all")
    }
    beat = system.start_beat()

    async def have_fired() -> bool:
        return all([(await loop.get_timer(timer.id)).fires for timer in timers.values()])

    await eventually(have_fired, "each has fired once", within=30)
    beat.kill()
    before = {name: (await loop.get_timer(timer.id)).fires for name, timer in timers.items()}
    missed = {name: list(await loop.preview_timer(timer.id, 3)) for name, timer in timers.items()}
    last = max(ticks[-1] for ticks in missed.values())
    await eventually(lambda: datetime.now(UTC) > last, "three periods have passed", within=20)
    system.start_beat()

    async def caught_up() -> bool:
        return all(
            [(await loop.get_timer(timer.id)).tick_at > datetime.now(UTC) for timer in timers.values()]
        )

    await eventually(caught_up, "a beat is back", within=30)
    (back_at,) = query(system, "SELECT back_at FROM beats")[0]
    for name, timer in timers.items():
        firings = [one for one in await loop.timer_firings(timer.id) if one.outcome == "fired"]
        late = sorted(one.tick_at for one in firings if missed[name][0] <= one.tick_at <= back_at)
        # The beat took its time to start: further ticks may have been missed.
        due = list(await loop.preview_timer(timer.id, 1))
        all_missed = [tick for tick in _every(missed[name][0], period, due[0]) if tick <= back_at]
        assert len(all_missed) >= 3
        assert late == {"skip": [], "one": all_missed[-1:], "all": all_missed}[name], name
        assert before[name] >= 1


def _every(first: datetime, period: timedelta, end: datetime) -> list[datetime]:
    return [first + period * index for index in range(int((end - first) / period) + 1)]


SLOW = """
from datetime import timedelta
from powerloop import Agent
from powerloop.llm.script import Script, Turn, Rule, ScriptedCall
from powerloop.tools import ask_user

slow_script = Script(otherwise=Turn(text="done", delay=timedelta(minutes=5)))
asking_script = Script(rules=(Rule(pattern=".", turns=(
    Turn(calls=(ScriptedCall(name="ask_user", arguments={"prompt": "May I?"}),)), Turn(text="$result"),
)),))
slow = Agent(name="slow", model="scripted:slow_script")
asking = Agent(name="asking", model="scripted:asking_script", tools=[ask_user()])
echo = Agent(name="echo", model="scripted:echo")
"""


async def test_a_send_that_takes_minutes_delays_no_other_timer(system, loop: AsyncPowerLoop, eventually):
    system.add_app("slow_agents", SLOW)
    system.start_worker(POWERLOOP_APP="slow_agents", POWERLOOP_DRAIN_TIMEOUT="0.2")
    system.start_beat().wait_for("beat started")
    long = await loop.schedule("take your time", agent="slow", after=timedelta(seconds=0.1))

    async def begun() -> bool:
        return [send.status for send in await loop.list_sends(agent="slow")] == ["running"]

    await eventually(begun, "the slow send runs", within=30)
    quick = await loop.schedule("{{tick}}", agent="echo", every=timedelta(seconds=1), max_fires=3)

    async def done() -> bool:
        return [send.status for send in await loop.list_sends(agent="echo")] == ["completed"] * 3

    await eventually(done, "the others have fired and run", within=30)
    late = [firing.at - firing.tick_at for firing in await loop.timer_firings(quick.id)]
    sys.stdout.write(f"late by {[round(one.total_seconds() * 1000) for one in late]} ms\n")
    assert max(late) < timedelta(seconds=5)
    assert (await loop.get_timer(long.id)).status == "done"
    await loop.cancel(agent="slow")
    await eventually(lambda: _ended(loop, "slow"), "the slow send has ended", within=30)


async def _ended(loop: AsyncPowerLoop, agent: str) -> bool:
    return all(send.status.is_final for send in await loop.list_sends(agent=agent))


async def test_ticks_on_a_session_that_waits_for_a_person_do_not_pile_up_and_none_is_lost(
    system, loop: AsyncPowerLoop, eventually
):
    system.add_app("slow_agents", SLOW)
    system.start_worker(POWERLOOP_APP="slow_agents")
    system.start_beat(POWERLOOP_SWEEP_INTERVAL="0.2")
    session = await loop.create_session("asking")
    timer = await loop.schedule(
        "tick {{tick}}", session_id=session.id, every=timedelta(seconds=1), overlap="buffer_one"
    )

    async def has_skipped() -> bool:
        return (await loop.get_timer(timer.id)).skips >= 2

    await eventually(has_skipped, "ticks pass while a person is waited for", within=30)
    assert len(await loop.list_sends(session_id=session.id)) == 1
    held = (await loop.get_timer(timer.id)).held_at
    await loop.pause_timer(timer.id)
    (question,) = await loop.interactions()
    await loop.answer(question.id, "yes")
    await loop.resume_timer(timer.id)

    async def released() -> bool:
        return len(await loop.list_sends(session_id=session.id)) == 2

    await eventually(released, "the tick that was held back fires", within=30)
    await loop.cancel_timer(timer.id)
    second = max(await loop.list_sends(session_id=session.id), key=lambda send: send.position)
    assert second.metadata["timer_due_at"] == held.isoformat()
    began = time.monotonic()
    while not (questions := await loop.interactions()):
        assert time.monotonic() - began < 30
        await asyncio.sleep(0.05)
    await loop.answer(questions[0].id, "yes")
    assert (await (await loop.get_send(second.id)).result(timeout=30)).ok
