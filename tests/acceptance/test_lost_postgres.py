"""Postgres restarted under load: workers come back by themselves, clients try again, nothing is lost."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from powerloop import AsyncPowerLoop, PowerLoopError, Send, SendStatus
from powerloop.embedded import PostgresServer
from powerloop.kernel.errors import StoreUnavailable
from powerloop.store import migrate
from powerloop.testing.wire import WireProcess

pytestmark = [pytest.mark.acceptance, pytest.mark.takes("machine")]

T = TypeVar("T")

SESSIONS = 30
TEXTS = [f"number {number}" for number in range(10)]
#: Sends that a client has open at a time.
BURST = 2


@pytest.fixture
def own_postgres(open_folder: Callable[[], Path]) -> Iterator[PostgresServer]:
    with PostgresServer(open_folder() / "postgres", durable=True) as server:
        yield server


@pytest.fixture
async def migrated_postgres_url(own_postgres: PostgresServer) -> str:
    """In place of the Postgres that all tests share."""
    await migrate.upgrade(own_postgres.url)
    return own_postgres.url


@pytest.fixture
def wire() -> Iterator[WireProcess]:
    with WireProcess(latency=timedelta(milliseconds=300)) as wire:
        yield wire


async def test_three_restarts_of_postgres_lose_nothing_and_double_nothing(
    wire, system, loop: AsyncPowerLoop, own_postgres, eventually
):
    workers = [system.start_worker(**wire.environ) for _ in range(2)]
    system.start_beat()
    errors: list[PowerLoopError] = []
    sessions = [(await loop.create_session("wired")).id for _ in range(SESSIONS)]
    load = [asyncio.create_task(send_all(loop, session, errors)) for session in sessions]
    for quarter in (1, 2, 3):
        due = quarter * SESSIONS * len(TEXTS) // 4
        await eventually(lambda due=due: wire.stats().served >= due, "a quarter more is done", within=30)
        await restart(own_postgres, eventually)
    await asyncio.gather(*load)
    assert {error.code for error in errors} == {StoreUnavailable.code}
    last = [await check(loop, session) for session in sessions]
    assert len({send.owner for send in last}) == len(workers)


async def send_all(loop: AsyncPowerLoop, session: str, errors: list[PowerLoopError]) -> None:
    """What a client does that keeps at it: a few sends at a time, each under a key of its own."""
    for start in range(0, len(TEXTS), BURST):
        handles = [
            await insist(lambda text=text: loop.send(session, text, idempotency_key=text), errors)
            for text in TEXTS[start : start + BURST]
        ]
        for handle in handles:
            result = await insist(lambda handle=handle: handle.result(timeout=60), errors)
            assert result.status is SendStatus.COMPLETED


async def insist(call: Callable[[], Awaitable[T]], errors: list[PowerLoopError]) -> T:
    """Try until it succeeds, and note what it raised."""
    while True:
        try:
            return await call()
        except PowerLoopError as error:
            errors.append(error)
            await asyncio.sleep(0.1)


async def restart(server: PostgresServer, eventually) -> None:
    """An immediate shutdown, as ``pg_ctl stop -m immediate`` does it, and a start that replays the log."""
    os.kill(server.pid, signal.SIGQUIT)
    await eventually(lambda: not server.running, "Postgres has ended")
    server.kill()
    await asyncio.to_thread(server.start)


async def check(loop: AsyncPowerLoop, session: str) -> Send:
    """Each input was accepted once and answered once, in order; the last send."""
    sends = sorted(await loop.list_sends(session_id=session), key=lambda send: send.position)
    assert [send.text for send in sends] == [f"You said: {text}" for text in TEXTS]
    log = await loop.messages(session)
    assert [(message.send_id, message.text) for message in log[0::2]] == [
        (send.id, text) for send, text in zip(sends, TEXTS, strict=True)
    ]
    assert [(message.send_id, message.text) for message in log[1::2]] == [
        (send.id, send.text) for send in sends
    ]
    return sends[-1]
