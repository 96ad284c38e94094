"""A producer of a real system whose servers are away: what it is told, and what it can still do."""

import asyncio
import logging

import pytest

from powerloop import AsyncPowerLoop, SendStatus
from powerloop.kernel.errors import BrokerUnavailable, SettingsInvalid, StoreUnavailable
from powerloop.kernel.events import Rewind, SendEnded, TextDelta
from powerloop.kernel.ids import WorkerId
from powerloop.kernel.messages import NewMessage, Role, TextBlock
from powerloop.kernel.ports.journal import Ending
from powerloop.kernel.sends import StopReason
from powerloop.settings import read_settings
from powerloop.store import open_store

pytestmark = pytest.mark.integration

AWAY = "redis://:secret@127.0.0.1:1/0"


def settings(database_url, redis_url):
    return read_settings(discover=False, database_url=database_url, redis_url=redis_url, broker_url=redis_url)


async def end(url, send_id, text):
    """What a worker would do: claim the send and finish it."""
    store = open_store(url)
    send = await store.sends.find(send_id)
    claim = await store.journal.claim(send, WorkerId("test:1:1"))
    content = (TextBlock(text=text),)
    message = NewMessage(role=Role.ASSISTANT, content=content)
    ending = Ending.completed(StopReason.END_TURN, rounds=1, output=content, messages=(message,))
    await store.journal.finish(claim.fence, ending)
    await store.close()


def test_missing_addresses_are_named(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsInvalid, match="POWERLOOP_DATABASE_URL and POWERLOOP_REDIS_URL are not set"):
        AsyncPowerLoop.from_env(read_settings(discover=False))


async def test_a_database_that_is_away_is_said_so_without_its_password(redis_url):
    away = settings("postgresql://someone:secret@127.0.0.1:1/app", redis_url)
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1/app") as raised:
        async with AsyncPowerLoop.from_env(away):
            pass
    assert "secret" not in str(raised.value)
    assert raised.value.hint


async def test_a_send_is_accepted_while_redis_is_away(migrated_postgres_url, caplog):
    caplog.set_level(logging.WARNING)
    async with AsyncPowerLoop.from_env(settings(migrated_postgres_url, AWAY)) as loop:
        session = await loop.create_session("echo")
        handle = await loop.send(session.id, "hello")
        assert await handle.status() is SendStatus.QUEUED
        assert "send accepted but not published" in [record.message for record in caplog.records]
        with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1") as raised:
            async for _ in handle.events():
                pass
    assert "secret" not in str(raised.value)


async def test_a_result_is_found_while_redis_is_away(migrated_postgres_url):
    async with AsyncPowerLoop.from_env(settings(migrated_postgres_url, AWAY)) as loop:
        session = await loop.create_session("echo")
        handle = await loop.send(session.id, "hello")
        waiting = asyncio.create_task(handle.result(timeout=30))
        await end(migrated_postgres_url, handle.id, "found all the same")
        assert (await waiting).text == "found all the same"


async def test_the_events_of_a_send_whose_stream_is_gone_are_told_by_the_store(
    migrated_postgres_url, redis_url
):
    async with AsyncPowerLoop.from_env(settings(migrated_postgres_url, redis_url)) as loop:
        session = await loop.create_session("echo")
        handle = await loop.send(session.id, "hello")
        await end(migrated_postgres_url, handle.id, "the whole text")
        told = [event.body async for event in handle.events()]
    assert told[:2] == [Rewind(), TextDelta(text="the whole text")]
    assert isinstance(told[-1], SendEnded)
    assert told[-1].status is SendStatus.COMPLETED


async def test_an_idempotency_key_is_one_send_for_racing_producers(migrated_postgres_url, redis_url):
    one, two = (AsyncPowerLoop.from_env(settings(migrated_postgres_url, redis_url)) for _ in range(2))
    async with one, two:
        session = await one.create_session("echo")
        handles = await asyncio.gather(
            *(
                producer.send(session.id, f"try {number}", idempotency_key="msg-1")
                for number in range(10)
                for producer in (one, two)
            )
        )
        assert len({handle.id for handle in handles}) == 1
        assert len(await one.list_sends(session_id=session.id)) == 1
