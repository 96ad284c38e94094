"""What is particular to SQLite: one file, one writer, other processes beside us."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from powerloop.kernel.errors import StoreUnavailable
from powerloop.kernel.ids import SendId, SessionId, WorkerId
from powerloop.kernel.messages import TextBlock
from powerloop.kernel.sends import NewSend
from powerloop.kernel.sessions import NewSession
from powerloop.store import SqlStore, open_leases, open_store

SESSION = NewSession(id=SessionId("session"), agent="support")
SEND = NewSend(id=SendId("send"), session_id=SESSION.id, content=(TextBlock(text="hello"),))

PRODUCER = """
import asyncio, sys
from powerloop.kernel.messages import TextBlock
from powerloop.kernel.sends import NewSend
from powerloop.store import open_store

async def main(url, name):
    store = open_store(url)
    await store.open()
    for number in range(25):
        await store.sends.accept(
            NewSend(id=f"{name}-{number}", session_id="session", content=(TextBlock(text="x"),))
        )
    await store.close()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the database is to be; nothing is there yet, nor its folder."""
    return tmp_path / "data" / "store.db"


@pytest.fixture
async def store(file: Path) -> AsyncIterator[SqlStore]:
    """An open store with a session."""
    store = open_store(f"sqlite:///{file}")
    await store.open()
    await store.sessions.create(SESSION)
    yield store
    await store.close()


async def test_what_was_written_is_there_after_reopening(store, file, store_at):
    accepted = await store.sends.accept(SEND)
    await store.close()
    again = store_at(f"sqlite:///{file}")
    await again.open()
    assert await again.sends.find(SEND.id) == accepted.send


async def test_processes_that_write_at_once_wait_for_each_other(store, file):
    producing = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-W", "error", "-c", PRODUCER, f"sqlite:///{file}", f"producer-{number}"
        )
        for number in range(3)
    ]
    leases = open_leases(f"sqlite:///{file}")
    for _ in range(20):
        await asyncio.to_thread(leases.renew, WorkerId("worker"), timedelta(seconds=4))
    assert [await process.wait() for process in producing] == [0, 0, 0]
    sends = await store.sends.list(session_id=SESSION.id)
    assert [send.position for send in sends] == list(range(75, 0, -1))
    leases.close()


async def test_a_writer_that_holds_the_file_for_too_long_is_named(store, file, store_at, monkeypatch):
    await store.close()
    monkeypatch.setattr("powerloop.store.engine._SQLITE_PRAGMAS", ("busy_timeout=50",))
    impatient = store_at(f"sqlite:///{file}")
    with closing(sqlite3.connect(file, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="too busy"):
            await impatient.sends.accept(SEND)
        # Reading goes on beside a writer.
        assert await impatient.sends.find(SEND.id) is None
        holder.execute("ROLLBACK")
        assert (await impatient.sends.accept(SEND)).created


async def test_a_new_file_that_somebody_else_writes_to_is_waited_for(file, store_at):
    file.parent.mkdir()
    store = store_at(f"sqlite:///{file}")
    with closing(sqlite3.connect(file, isolation_level=None)) as holder:
        holder.execute("CREATE TABLE theirs (id INTEGER)")
        holder.execute("BEGIN IMMEDIATE")
        opening = asyncio.create_task(store.open())
        done, _ = await asyncio.wait([opening], timeout=0.1)
        assert not done
        holder.execute("COMMIT")
        await opening


async def test_a_cancelled_write_leaves_the_store_as_it_was(store):
    for number in range(20):
        writing = asyncio.create_task(store.sends.accept(replace(SEND, id=SendId(f"send-{number}"))))
        for _ in range(number):
            await asyncio.sleep(0)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)

    sends = await store.sends.list(session_id=SESSION.id)
    session = await store.sessions.find(SESSION.id)
    assert [send.position for send in sends] == list(range(len(sends), 0, -1))
    assert session.accepted == len(sends)
    assert (await store.sends.accept(replace(SEND, id=SendId("last")))).send.position == len(sends) + 1


async def test_a_file_that_is_no_database_is_said(file):
    file.parent.mkdir()
    file.write_text("this is a letter, not a database\n" * 100)
    with pytest.raises(StoreUnavailable, match="not a database"):
        await open_store(f"sqlite:///{file}").open()


async def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable):
        await open_store(f"sqlite:///{tmp_path / 'file' / 'store.db'}").open()
