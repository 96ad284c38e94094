"""The outside world as tests have it: it counts, it knows keys, it can be slow."""

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from powerloop.testing.world import WorldProcess


@pytest.fixture(scope="module")
def one_world() -> Iterator[WorldProcess]:
    with WorldProcess() as world:
        yield world


@pytest.fixture
def world(one_world: WorldProcess) -> WorldProcess:
    one_world.reset()
    return one_world


async def test_it_counts_per_tool_and_per_send(world: WorldProcess):
    for tool, send in (("mail", "s1"), ("mail", "s2"), ("mail", "s2"), ("book", "s1")):
        await world.client.post(tool, send=send)

    assert (world.count(), world.count("mail"), world.count("mail", send="s2")) == (4, 3, 2)
    assert [request.tool for request in world.requests(send="s1")] == ["mail", "book"]
    assert world.keys() == set()


async def test_it_knows_a_key_again_and_answers_as_it_did(world: WorldProcess):
    numbers = [await world.client.post("book", key=key) for key in ("a", "b", "a")]
    other = await world.client.post("charge", key="a")

    assert (numbers, other) == ([1, 2, 1], 4)
    assert (world.count("book"), world.keys("book")) == (3, {"a", "b"})
    assert await world.client.knows("book", "a")
    assert not await world.client.knows("book", "c")


async def test_without_a_key_every_request_is_an_effect(world: WorldProcess):
    assert [await world.client.post("mail") for _ in range(3)] == [1, 2, 3]
    assert not await world.client.knows("mail", "")


def test_a_blocking_tool_acts_and_asks_as_well(world: WorldProcess):
    assert world.client.post_blocking("book", key="a b", send="s1") == 1
    assert world.client.knows_blocking("book", "a b")
    assert not world.client.knows_blocking("mail", "a b")
    assert world.count("book", send="s1") == 1


async def test_a_slow_world_answers_after_the_effect(world: WorldProcess, eventually):
    world.slow(timedelta(seconds=30))

    acting = asyncio.create_task(world.client.post("mail"))
    await eventually(lambda: world.count("mail") == 1, "the effect took place")

    assert not acting.done()
    acting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await acting
    world.reset()
    began = time.monotonic()
    await world.client.post("mail")
    assert time.monotonic() - began < 10
