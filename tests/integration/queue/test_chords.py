"""Chords of fan-outs: sizes are set before members go out, and a Redis that is away loses nothing."""

import pytest
import redis

from powerloop.kernel.dispatch import Activation, Kind
from powerloop.kernel.queues import LEAF_QUEUE
from powerloop.queue import open_dispatcher
from powerloop.queue.routing import redis_lists


def member(index: int, group: str = "fan-out", size: int = 3) -> Activation:
    return Activation(
        kind=Kind.LEAF,
        id=f"leaf-{group}-{index}",
        queue=LEAF_QUEUE,
        priority=0,
        actor="reader",
        ids="run=r",
        preview="",
        first=True,
        root_id="r",
        group_id=group,
        group_size=size,
        group_index=index,
        joins="run:r",
    )


def lying(server) -> int:
    """How many messages lie on the queue of leaves."""
    return sum(server.llen(name) for name in redis_lists(LEAF_QUEUE))


@pytest.fixture
async def dispatcher(redis_url):
    dispatcher = open_dispatcher(redis_url, chords=redis_url)
    yield dispatcher
    await dispatcher.close()


@pytest.fixture
def server(redis_url):
    with redis.Redis.from_url(redis_url) as server:
        yield server


async def test_the_size_of_a_chord_is_set_before_its_first_member_and_once(dispatcher, server):
    assert await dispatcher.publish([member(0), member(1)])
    key = "celery-taskset-meta-fan-out.s"
    assert server.get(key) == b"3"
    assert 0 < server.ttl(key) <= 24 * 3600
    server.set(key, "7")
    assert await dispatcher.publish([member(2)])
    assert server.get(key) == b"7"
    assert lying(server) == 3


async def test_several_chords_are_set_in_one_go_and_what_is_none_is_not(dispatcher, server):
    alone = member(0, "alone", size=0)
    assert await dispatcher.publish([member(0, "a", 2), member(0, "b", 5), alone])
    assert [server.get(f"celery-taskset-meta-{name}.s") for name in ("a", "b", "alone")] == [b"2", b"5", None]


async def test_members_go_out_though_nobody_counts_them(redis_url, server):
    nowhere = "redis://127.0.0.1:1/0"
    dispatcher = open_dispatcher(redis_url, chords=nowhere)
    try:
        assert await dispatcher.publish([member(0)])
    finally:
        await dispatcher.close()
    assert lying(server) == 1
