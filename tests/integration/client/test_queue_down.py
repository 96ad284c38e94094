"""A producer whose broker does not answer: how long it waits, and what becomes of the send."""

import asyncio
import logging
import time
from contextlib import suppress

import pytest

from powerloop import AsyncPowerLoop, InvalidInput, SendStatus
from powerloop.kernel.errors import QueueUnavailable
from powerloop.settings import read_settings

pytestmark = pytest.mark.integration

#: Two seconds of patience with the broker, and what a busy machine adds.
BOUND_S = 4.0


@pytest.fixture(params=["refuses", "is silent"])
async def away(request):
    """The address of a Redis that refuses connections, or of one that takes them and says nothing."""
    if request.param == "refuses":
        yield "redis://127.0.0.1:1/0"
        return

    async def say_nothing(reader, writer):
        with suppress(ConnectionError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    server.close()


@pytest.fixture
def connect(migrated_postgres_url):
    def connect(redis_url, broker_url=""):
        return AsyncPowerLoop.from_env(
            read_settings(
                discover=False,
                database_url=migrated_postgres_url,
                redis_url=redis_url,
                broker_url=broker_url or redis_url,
            )
        )

    return connect


async def test_a_send_is_accepted_within_seconds(connect, away, caplog):
    caplog.set_level(logging.WARNING)
    async with connect(away) as loop:
        session = await loop.create_session("echo")
        began = time.monotonic()
        handle = await loop.send(session.id, "hello")
        assert time.monotonic() - began < BOUND_S
        assert await handle.status() is SendStatus.QUEUED
    assert "send accepted but not published" in [record.message for record in caplog.records]


async def test_a_send_is_refused_within_seconds_where_its_producer_asks_for_that(connect, away):
    async with connect(away) as loop:
        session = await loop.create_session("echo")
        began = time.monotonic()
        with pytest.raises(QueueUnavailable, match="not to be accepted without it"):
            await loop.send(session.id, "hello", queue_down="refuse")
        assert time.monotonic() - began < BOUND_S
        assert await loop.list_sends() == []


async def test_a_cancel_is_written_within_seconds(connect, away):
    async with connect(away) as loop:
        session = await loop.create_session("echo")
        handles = [await loop.send(session.id, "hello") for _ in range(3)]
        began = time.monotonic()
        assert {one.effect for one in await loop.cancel(session_id=session.id)} == {"cancelled"}
        assert time.monotonic() - began < BOUND_S
        assert {await handle.status() for handle in handles} == {SendStatus.CANCELLED}


async def test_a_broker_of_another_kind_that_is_away_costs_seconds_too(connect, redis_url, caplog):
    caplog.set_level(logging.CRITICAL)
    async with connect(redis_url, "amqp://guest:guest@127.0.0.1:1//") as loop:
        session = await loop.create_session("echo")
        began = time.monotonic()
        handle = await loop.send(session.id, "hello")
        assert time.monotonic() - began < BOUND_S
        assert await handle.status() is SendStatus.QUEUED


async def test_a_send_is_accepted_by_those_who_may_refuse_it_while_the_queue_is_well(connect, redis_url):
    async with connect(redis_url) as loop:
        session = await loop.create_session("echo")
        handle = await loop.send(session.id, "hello", queue_down="refuse")
        assert await handle.status() is SendStatus.QUEUED
        with pytest.raises(InvalidInput, match="Did you mean 'refuse'"):
            await loop.send(session.id, "hello", queue_down="refused")
