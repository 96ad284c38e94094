"""What every implementation of `SessionLocks` promises."""

import asyncio
import threading
from datetime import timedelta

import pytest

from powerloop.kernel.ids import SessionId
from powerloop.queue import RedisSessionLocks
from powerloop.queue.locks import KEY
from powerloop.queue.memory import MemoryLocks
from powerloop.queue.redis_address import RedisAddress

SESSION = SessionId("session-1")
OTHER = SessionId("session-2")


def ignore() -> None:
    pass


class Memory:
    """One service, as one process sees it."""

    def __init__(self) -> None:
        self.locks = MemoryLocks()

    async def steal(self, session_id):
        self.locks.steal(session_id)

    async def close(self):
        await self.locks.close()


class Redis:
    def __init__(self, url: str) -> None:
        self.locks = RedisSessionLocks(url, ttl=timedelta(seconds=10))
        self.client = RedisAddress.parse(url).client(connections=1, timeout=2)

    async def steal(self, session_id):
        await self.client.set(KEY.format(session_id), "somebody else")
        await asyncio.to_thread(self.locks.renew)

    async def close(self):
        await self.locks.close()
        await self.client.aclose()


@pytest.fixture(params=["memory", "redis"])
async def service(request):
    service = Memory() if request.param == "memory" else Redis(request.getfixturevalue("redis_url"))
    yield service
    await service.close()


async def test_a_held_session_is_refused_to_everyone_else(service):
    assert await service.locks.acquire(SESSION, ignore)
    assert await service.locks.acquire(SESSION, ignore) is None
    assert await service.locks.acquire(OTHER, ignore)


async def test_a_released_session_is_free(service):
    lock = await service.locks.acquire(SESSION, ignore)
    await lock.release()
    assert await service.locks.acquire(SESSION, ignore)


async def test_a_second_release_does_not_free_the_next_holder(service):
    first = await service.locks.acquire(SESSION, ignore)
    await first.release()
    assert await service.locks.acquire(SESSION, ignore)
    await first.release()
    assert await service.locks.acquire(SESSION, ignore) is None


async def test_of_many_who_try_at_once_one_wins(service):
    locks = await asyncio.gather(*(service.locks.acquire(SESSION, ignore) for _ in range(50)))
    assert sum(lock is not None for lock in locks) == 1


async def test_renewal_keeps_what_is_held_and_nothing_else(service):
    held = await service.locks.acquire(SESSION, ignore)
    released = await service.locks.acquire(OTHER, ignore)
    await released.release()
    await asyncio.to_thread(service.locks.renew)
    assert await service.locks.acquire(SESSION, ignore) is None
    assert await service.locks.acquire(OTHER, ignore)
    await held.release()


async def test_a_lock_that_somebody_else_took_is_lost_once_and_on_the_holders_loop(service, eventually):
    told = []
    lock = await service.locks.acquire(SESSION, lambda: told.append(threading.get_ident()))
    await service.steal(SESSION)
    await eventually(lambda: told, "the holder is told")
    await asyncio.to_thread(service.locks.renew)
    await lock.release()
    await asyncio.sleep(0)
    assert told == [threading.get_ident()]


async def test_the_release_of_a_lost_lock_leaves_the_thief_alone(service, eventually):
    told = []
    lock = await service.locks.acquire(SESSION, lambda: told.append(True))
    await service.steal(SESSION)
    await eventually(lambda: told, "the holder is told")
    await lock.release()
    assert await service.locks.acquire(SESSION, ignore) is None
