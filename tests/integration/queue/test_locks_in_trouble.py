import asyncio
import logging
from datetime import timedelta

import pytest

from powerloop.kernel.ids import SessionId
from powerloop.queue import RedisSessionLocks
from powerloop.queue.locks import KEY

pytestmark = pytest.mark.integration

SESSION = SessionId("session-1")
FRESH = SessionId("session-2")


def ignore() -> None:
    pass


@pytest.fixture
async def other(redis_url):
    """Another process."""
    locks = RedisSessionLocks(redis_url)
    yield locks
    await locks.close()


@pytest.fixture
async def locks(redis_url):
    locks = RedisSessionLocks(redis_url, ttl=timedelta(seconds=10))
    yield locks
    await locks.close()


async def test_processes_exclude_each_other(locks, other):
    lock = await locks.acquire(SESSION, ignore)
    assert await other.acquire(SESSION, ignore) is None
    await lock.release()
    assert await other.acquire(SESSION, ignore)


async def test_an_unrenewed_lock_runs_out(redis_url, other, eventually):
    silent = RedisSessionLocks(redis_url, ttl=timedelta(milliseconds=200))
    assert await silent.acquire(SESSION, ignore)
    assert await other.acquire(SESSION, ignore) is None
    await eventually(lambda: other.acquire(SESSION, ignore), "the silent holder's lock runs out", within=3)
    await silent.close()


async def test_renewal_prolongs_every_lock(locks, client):
    sessions = [SessionId(f"s{number}") for number in range(1_000)]
    for session in sessions:
        assert await locks.acquire(session, ignore)
    for session in sessions:
        await client.pexpire(KEY.format(session), 1_000)
    await asyncio.to_thread(locks.renew)
    assert min([await client.pttl(KEY.format(session)) for session in sessions]) > 8_000


async def test_locks_that_a_flush_took_are_taken_again(locks, other, client):
    lost = []
    lock = await locks.acquire(SESSION, lambda: lost.append(True))
    token = await client.get(KEY.format(SESSION))
    await client.flushall()
    await asyncio.to_thread(locks.renew)
    assert await client.get(KEY.format(SESSION)) == token
    assert await other.acquire(SESSION, ignore) is None
    await lock.release()
    assert lost == []


async def test_a_lock_that_another_took_after_a_flush_is_lost(locks, other, client, eventually):
    lost = []
    await locks.acquire(SESSION, lambda: lost.append(True))
    await client.flushall()
    theirs = await other.acquire(SESSION, ignore)
    assert theirs
    await asyncio.to_thread(locks.renew)
    await eventually(lambda: lost, "the first holder is told")
    await asyncio.to_thread(other.renew)
    assert await client.get(KEY.format(SESSION)) == theirs.token


async def test_a_lock_that_is_released_during_a_renewal_stays_released(locks, client):
    """The renewal takes again what has vanished; what was given back meanwhile must not come to life."""
    lock = await locks.acquire(SESSION, ignore)
    renew_all = locks._renew_all

    def released_meanwhile(keys, args):
        # The other side of the race: the release reaches Redis before the script does.
        asyncio.run_coroutine_threadsafe(lock.release(), loop).result(5)
        return renew_all(keys=keys, args=args)

    loop = asyncio.get_running_loop()
    locks._renew_all = released_meanwhile
    await asyncio.to_thread(locks.renew)
    assert await client.exists(KEY.format(SESSION)) == 0


async def test_a_cancelled_acquisition_leaves_no_lock_behind(locks, client):
    task = asyncio.create_task(locks.acquire(SESSION, ignore))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await locks.acquire(SESSION, ignore)


async def test_a_redis_that_is_away_excludes_nobody_and_is_logged_once(own_redis, caplog):
    caplog.set_level(logging.INFO, "powerloop.locks")
    ours, theirs = RedisSessionLocks(own_redis.url), RedisSessionLocks(own_redis.url)
    lost = []
    lock = await ours.acquire(SESSION, lambda: lost.append(True))
    own_redis.kill()
    for _ in range(3):
        await asyncio.to_thread(ours.renew)
    assert await theirs.acquire(SESSION, ignore), "the epoch guards the session now"
    assert await ours.acquire(SESSION, ignore) is None, "a process excludes itself without Redis"
    fresh = await ours.acquire(FRESH, ignore)
    assert fresh

    own_redis.start()
    await asyncio.to_thread(ours.renew)
    await asyncio.to_thread(theirs.renew)
    assert await theirs.acquire(FRESH, ignore) is None, "it was taken as Redis came back"
    told = [record.message for record in caplog.records]
    assert told == ["service away", "service away", "service back", "session lock lost", "service back"]
    assert lost == [], "the first to renew has it"
    await lock.release()
    await ours.close()
    await theirs.close()


async def test_a_release_while_redis_is_away_does_not_raise(own_redis):
    locks = RedisSessionLocks(own_redis.url)
    lock = await locks.acquire(SESSION, ignore)
    own_redis.kill()
    await lock.release()
    assert await locks.acquire(SESSION, ignore)
    await locks.close()
