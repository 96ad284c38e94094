import asyncio

from powerloop.kernel.ids import SessionId
from powerloop.queue.locks import RedisLock


async def make_lock(on_lost):
    return RedisLock(None, SessionId("session-1"), "token", on_lost)


def test_a_lock_that_is_lost_after_its_loop_has_gone_tells_nobody():
    told = []
    lock = asyncio.run(make_lock(lambda: told.append(True)))
    lock.lose()
    assert told == []


async def test_a_lock_is_lost_once():
    told = []
    lock = await make_lock(lambda: told.append(True))
    lock.lose()
    lock.lose()
    assert told == [], "the holder is told by its loop, not by who finds out"
    await asyncio.sleep(0)
    assert told == [True]
