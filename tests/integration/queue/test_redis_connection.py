"""A cancellation that comes while a command is sent is heeded, and costs nobody a reply."""

import asyncio

import pytest
from redis.asyncio import Connection

from powerloop.queue.redis_address import RedisAddress
from powerloop.queue.redis_connection import HeedfulSSLConnection

pytestmark = pytest.mark.integration


@pytest.fixture
def cancel_after_sending(monkeypatch: pytest.MonkeyPatch):
    """``cancel_after_sending(task)`` cancels it at the moment its next command is on the wire."""
    send = Connection._send_packed_command
    victims: list[asyncio.Task[object]] = []

    async def send_and_cancel(connection: Connection, command: object) -> None:
        await send(connection, command)
        if victims:
            victims.pop().cancel()

    monkeypatch.setattr(Connection, "_send_packed_command", send_and_cancel)
    return victims.append


async def test_a_command_that_was_just_sent_is_cancelled(client, cancel_after_sending):
    await client.set("name", "value")
    task = asyncio.create_task(client.get("name"))
    cancel_after_sending(task)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_next_command_gets_its_own_reply(client, cancel_after_sending):
    await client.set("name", "value")
    task = asyncio.create_task(client.get("name"))
    cancel_after_sending(task)
    await asyncio.gather(task, return_exceptions=True)
    assert await client.ping() is True


async def test_what_was_cancelled_before_may_still_tidy_up(client):
    async def tidy_up_at_the_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await client.set("tidied", "up")

    task = asyncio.create_task(tidy_up_at_the_end())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await client.get("tidied") == "up"


def test_connections_over_tls_are_no_different():
    pool = RedisAddress.parse("rediss://redis.example").client(connections=1, timeout=1).connection_pool
    assert pool.connection_class is HeedfulSSLConnection
