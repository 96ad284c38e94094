"""What a store says when its database is away, and that it recovers by itself."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit
from uuid import uuid4

import psutil
import psycopg
import pytest

from powerloop.embedded import PostgresServer
from powerloop.kernel.errors import SchemaMissing, StoreUnavailable
from powerloop.kernel.ids import SendId, SessionId, WorkerId
from powerloop.kernel.messages import TextBlock
from powerloop.kernel.sends import NewSend
from powerloop.kernel.sessions import NewSession
from powerloop.store import SqlStore, open_leases, open_store

SESSION = NewSession(id=SessionId("session"), agent="support")
SEND = NewSend(id=SendId("send"), session_id=SESSION.id, content=(TextBlock(text="hello"),))


@pytest.fixture
def server(server_folder: Path) -> Iterator[PostgresServer]:
    """A Postgres that only this test has, to be stopped and started."""
    with PostgresServer(server_folder / f"outage-{uuid4().hex}") as server:
        yield server


@pytest.fixture(params=[False, True], ids=["postgres", "portable"])
async def store(request: pytest.FixtureRequest, server: PostgresServer) -> AsyncIterator[SqlStore]:
    """An open store with a session, all of whose connections have been used."""
    store = open_store(server.url, pool_size=3, portable=request.param)
    await store.open()
    await store.sessions.create(SESSION)
    await asyncio.gather(*(store.sends.find(SEND.id) for _ in range(30)))
    yield store
    await store.close()


async def test_after_a_restart_reads_and_writes_go_on(store, server):
    server.stop()
    server.start()
    assert (await store.sends.accept(SEND)).created
    found = await asyncio.gather(*(store.sends.find(SEND.id) for _ in range(10)))
    assert {send.id for send in found} == {SEND.id}


async def test_after_a_crash_reads_and_writes_go_on(store, server):
    server.kill()
    server.start()
    await asyncio.gather(*(store.sends.find(SEND.id) for _ in range(10)))
    assert (await store.sends.accept(SEND)).created


async def test_while_it_is_down_the_store_says_where_it_looked(store, server):
    server.stop()
    where = f"127.0.0.1:{server.port}/powerloop"
    for call in (
        store.sends.accept(SEND),
        store.sends.find(SEND.id),
        store.journal.load_window(SESSION.id),
        store.sessions.list(),
        store.sessions.create(SESSION),
    ):
        with pytest.raises(StoreUnavailable) as raised:
            await call
        assert where in str(raised.value)
        assert urlsplit(server.url).password not in str(raised.value)
        assert "POWERLOOP_DATABASE_URL" in raised.value.hint

    server.start()
    assert (await store.sends.accept(SEND)).created


async def test_a_statement_that_is_cut_off_is_said_and_the_next_one_works(bench, blocked):
    claim = await bench.claimed("first")
    await bench.other.execute("BEGIN")
    await bench.other.execute("SELECT 1 FROM powerloop.sessions FOR UPDATE")
    finishing = asyncio.create_task(bench.store.journal.finish(claim.fence, bench.completed()))
    await blocked(finishing)
    await terminate(bench)
    with pytest.raises(StoreUnavailable):
        await finishing
    await bench.other.execute("ROLLBACK")
    assert (await bench.store.journal.finish(claim.fence, bench.completed())).seq == 2


async def test_a_read_that_is_cut_off_is_made_again(bench, blocked):
    accepted = await bench.accept("first")
    await bench.other.execute("BEGIN")
    await bench.other.execute("LOCK TABLE powerloop.sends, powerloop.messages IN ACCESS EXCLUSIVE MODE")
    for read in (
        lambda: bench.store.sends.find(accepted.send.id),
        bench.store.sends.list,
        lambda: bench.store.journal.load_window(accepted.send.session_id),
    ):
        reading = asyncio.create_task(read())
        await blocked(reading)
        await terminate(bench)
        await blocked(reading)
        # Twice is enough: somebody may be cutting on purpose.
        await terminate(bench)
        with pytest.raises(StoreUnavailable):
            await reading

    reading = asyncio.create_task(bench.store.sends.find(accepted.send.id))
    await blocked(reading)
    await terminate(bench)
    await bench.other.execute("ROLLBACK")
    assert (await reading) == accepted.send


async def test_a_cancelled_statement_leaves_the_pool_as_it_was(bench, blocked):
    claim = await bench.claimed("first")
    await bench.other.execute("BEGIN")
    await bench.other.execute("SELECT 1 FROM powerloop.sessions FOR UPDATE")
    for _ in range(10):
        finishing = asyncio.create_task(bench.store.journal.finish(claim.fence, bench.completed()))
        await blocked(finishing)
        finishing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await finishing
    await bench.other.execute("ROLLBACK")
    found = await asyncio.gather(*(bench.store.sends.find(claim.send.id) for _ in range(20)))
    assert {send.rounds for send in found} == {0}
    assert (await bench.store.journal.finish(claim.fence, bench.completed())).seq == 2


async def test_a_cancelled_transaction_is_rolled_back(migrated_postgres_url, store_at, bench, blocked):
    store = store_at(migrated_postgres_url, pool_size=1, portable=True)
    claim = await bench.claimed("first")
    await bench.other.execute("BEGIN")
    await bench.other.execute("LOCK TABLE powerloop.messages IN ACCESS EXCLUSIVE MODE")
    finishing = asyncio.create_task(store.journal.finish(claim.fence, bench.completed()))
    await blocked(finishing)
    finishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await finishing
    await bench.other.execute("ROLLBACK")

    assert (await store.sends.find(claim.send.id)).ended_at is None
    assert (await store.journal.finish(claim.fence, bench.completed())).seq == 2


async def test_more_callers_than_connections_wait_for_their_turn(migrated_postgres_url, store_at):
    store = store_at(migrated_postgres_url, pool_size=2)
    await store.sessions.create(SESSION)
    sends = [replace(SEND, id=SendId(f"send-{number}")) for number in range(200)]
    accepted = await asyncio.gather(*map(store.sends.accept, sends))
    assert sorted(one.send.position for one in accepted) == list(range(1, 201))


def test_leases_reconnect_after_a_restart(server):
    leases = open_leases(server.url)
    with pytest.raises(SchemaMissing):
        leases.renew(WorkerId("worker"), timedelta(seconds=5))
    asyncio.run(open_store(server.url).open())
    leases.renew(WorkerId("worker"), timedelta(seconds=5))
    server.stop()
    with pytest.raises(StoreUnavailable):
        leases.renew(WorkerId("worker"), timedelta(seconds=5))
    server.start()
    leases.renew(WorkerId("worker"), timedelta(seconds=5))
    server.stop()
    server.start()
    leases.renew(WorkerId("worker"), timedelta(seconds=5))
    leases.close()


def test_leases_give_up_on_a_server_that_is_frozen(server):
    asyncio.run(open_store(server.url).open())
    leases = open_leases(server.url)
    leases.renew(WorkerId("worker"), timedelta(seconds=5))
    processes = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    try:
        for process in processes:
            process.suspend()
        for _ in range(2):
            began = monotonic()
            with pytest.raises(StoreUnavailable):
                leases.renew(WorkerId("worker"), timedelta(seconds=5))
            # A lease lasts four seconds.
            assert monotonic() - began < 3.5
    finally:
        for process in processes:
            process.resume()
    leases.renew(WorkerId("worker"), timedelta(seconds=5))
    leases.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda url: url.replace("/powerloop", "/nowhere"), "nowhere"),
        (lambda url: url.replace("powerloop:", "stranger:"), "stranger"),
    ],
    ids=["no database", "no role"],
)
async def test_what_the_server_says_is_passed_on(server, change, words):
    store = open_store(change(server.url))
    with pytest.raises(StoreUnavailable, match=words):
        await store.open()


async def test_a_port_where_nobody_listens_is_said_at_once():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{port}/x"):
        await open_store(f"postgresql://someone:secret@127.0.0.1:{port}/x").open()


async def test_instants_are_in_utc_whatever_the_servers_zone(migrated_postgres_url, store_at):
    with psycopg.connect(migrated_postgres_url, autocommit=True) as connection:
        name = urlsplit(migrated_postgres_url).path[1:]
        connection.execute(f"ALTER DATABASE {name} SET timezone TO 'Asia/Kathmandu'")
    store = store_at(migrated_postgres_url)
    session = await store.sessions.create(SESSION)
    send = (await store.sends.accept(SEND)).send
    assert (session.created_at.utcoffset(), send.created_at.utcoffset()) == (timedelta(0), timedelta(0))


async def terminate(bench) -> None:
    """Have the server end the store's connections, as an administrator does."""
    async with await psycopg.AsyncConnection.connect(bench.url, autocommit=True) as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND application_name = 'powerloop' AND pid <> pg_backend_pid()"
        )


async def test_a_server_that_does_not_answer_is_given_up(bench, monkeypatch):
    claim = await bench.claimed("first")
    monkeypatch.setattr("powerloop.store.database._ANSWER_WITHIN_S", 0.3)
    await bench.other.execute("BEGIN")
    await bench.other.execute("SELECT 1 FROM powerloop.sessions FOR UPDATE")
    with pytest.raises(StoreUnavailable, match="in time"):
        await bench.store.journal.finish(claim.fence, bench.completed())
    await bench.other.execute("ROLLBACK")
    assert (await bench.store.journal.finish(claim.fence, bench.completed())).seq == 2
