"""A sample of the interleavings of `tests.unit.kernel.test_double_texting`, on Postgres.

The other inputs arrive through a store of their own, in a thread, while the one that runs the send stands
still at a crash point: what each holds of a transaction then shows.
"""

import asyncio
import threading
from random import Random

import pytest

from powerloop.kernel.agents import Agent
from powerloop.kernel.policies import Policy
from powerloop.store import open_store
from powerloop.store.fsck import check_store
from tests.unit.kernel.conftest import House, NamedTool
from tests.unit.kernel.interleaving import Case, Interleaving

pytestmark = pytest.mark.integration

AGENT = Agent(name="support", model="fake:m", tools=[NamedTool("look")])
STORIES = 30


@pytest.fixture
def from_elsewhere(migrated_postgres_url):
    """`Sends.accept` of a store of its own, on an event loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    store = open_store(migrated_postgres_url)

    def run(work):
        return asyncio.run_coroutine_threadsafe(work, loop).result(timeout=20)

    yield lambda new: run(store.sends.accept(new))
    run(store.close())
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def drawn(random: Random) -> Case:
    """Any story, crashes and nudges that are not heard among them."""
    first, second, third = (random.choice(list(Policy)) for _ in range(3))
    arrivals = sorted((random.randrange(14), random.randrange(28)))
    crash = random.choice([None, random.randrange(16), random.randrange(30)])
    return Case((first, second, third), (arrivals[0], arrivals[1]), crash, nudged=random.random() < 0.7)


async def test_drawn_interleavings_end_as_their_policies_say(bench, from_elsewhere):
    random = Random(4)
    for number in range(STORIES):
        house = House(AGENT)
        await Interleaving(house, bench.store, from_elsewhere, drawn(random), f"story-{number}-").play()

    reports = await check_store(bench.url, at_rest=True)
    assert {report.title: report.rows for report in reports if report.rows} == {}
