"""Hooks about timers: asked in a worker, on a queue of their own, before there is a send."""

from datetime import timedelta

import pytest
import redis

from powerloop import AsyncPowerLoop
from powerloop.kernel.queues import TIMER_QUEUE
from powerloop.queue.routing import redis_lists

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

APP = """
from powerloop import Agent
from powerloop.kernel.hooks import ChangeInput, Hook, Veto

class Manners(Hook):
    async def timer(self, context):
        if "weekend" in context.content[0].text:
            return Veto("not on weekends")
        return ChangeInput(f"please: {context.content[0].text}")

polite = Agent(name="polite", model="scripted:echo", hooks=[Manners()])
"""


async def test_a_worker_asks_the_hooks_of_its_agents(system, loop: AsyncPowerLoop, eventually):
    system.add_app("polite_agents", APP)
    system.start_beat().wait_for("beat started")
    worker = system.start_worker(POWERLOOP_APP="polite_agents")
    session = await loop.create_session("polite")
    soon = timedelta(seconds=0.2)
    asked = await loop.schedule("tick {{tick}}", session_id=session.id, after=soon)
    vetoed = await loop.schedule("weekend", session_id=session.id, after=soon)

    async def are_over() -> bool:
        return all([(await loop.get_timer(timer.id)).status == "done" for timer in (asked, vetoed)])

    await eventually(are_over, "both are over", within=30)
    (send,) = await loop.list_sends(session_id=session.id)
    assert (await (await loop.get_send(send.id)).result(timeout=30)).text == "please: tick 1"
    (firing,) = await loop.timer_firings(vetoed.id)
    assert (firing.outcome, firing.detail) == ("vetoed", "not on weekends")
    assert "timer asked about" in worker.output()


async def test_without_a_worker_the_tick_waits_and_is_asked_about_when_one_is_there(
    system, loop: AsyncPowerLoop, eventually
):
    system.add_app("polite_agents", APP)
    # It tells of its agents, and goes.
    first = system.start_worker(POWERLOOP_APP="polite_agents")
    first.kill()
    system.start_beat()
    timer = await loop.schedule("tick", agent="polite", after=timedelta(seconds=0.1))

    async def is_asked_about() -> bool:
        return (await loop.get_timer(timer.id)).asked_at is not None

    await eventually(is_asked_about, "it is to be asked about", within=30)
    with redis.Redis.from_url(system.settings.redis_url) as client:
        await eventually(
            lambda: sum(client.llen(name) for name in redis_lists(TIMER_QUEUE)) == 1,
            "the question lies in the queue",
        )
    assert list(await loop.list_sends()) == []
    system.start_worker(POWERLOOP_APP="polite_agents")

    async def has_fired() -> bool:
        return [send.text for send in await loop.list_sends(status="completed")] == ["please: tick"]

    await eventually(has_fired, "it has fired", within=40)
