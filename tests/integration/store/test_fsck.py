"""`check_store`: a healthy database is clean, and each way to break a promise is found and named."""

import asyncio
import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from powerloop.kernel.errors import InvalidInput, SchemaMissing, StoreUnavailable
from powerloop.kernel.ids import WorkerId
from powerloop.store import migrate, open_leases, open_store
from powerloop.store.fsck import check_store
from powerloop.store.fsck.checks import CHECKS, Check
from tests.integration.store.conversations import Conversations
from tests.integration.store.planted import PLANTED
from tests.integration.store.planted_runs import PLANTED_RUNS
from tests.integration.store.planted_timers import PLANTED_TIMERS
from tests.integration.store.runs import Runs
from tests.integration.store.timed import Timed

TITLES = {check.name: check.title for check in CHECKS}
ALL_PLANTED = PLANTED + PLANTED_RUNS + PLANTED_TIMERS


@pytest.fixture(scope="module")
def filled_template(database_like, migrated_template):
    """The name of a database with sends in every state, all of them as they should be."""
    with database_like(migrated_template) as url:
        asyncio.run(fill(url))
        yield urlsplit(url).path[1:]


@pytest.fixture
def healthy(database_like, filled_template):
    """The URL of a copy of it."""
    with database_like(filled_template) as url:
        yield url


@pytest.fixture(scope="module")
def filled_file(tmp_path_factory):
    """The same, in SQLite."""
    file = tmp_path_factory.mktemp("filled") / "store.db"
    asyncio.run(migrate.upgrade(f"sqlite:///{file}"))
    asyncio.run(fill(f"sqlite:///{file}"))
    return file


@pytest.fixture
def healthy_file(filled_file: Path, tmp_path: Path):
    """A copy of that."""
    return Path(shutil.copy(filled_file, tmp_path / "store.db"))


async def fill(url):
    store, leases = open_store(url), open_leases(url)
    try:
        await Conversations(store, leases).hold()
        await Runs(store, leases).hold()
        await Timed(store, leases).hold()
    finally:
        await store.close()
        leases.close()


async def violated(url, **options):
    """The rows of each report that tells of a violation, by its title."""
    reports = await check_store(url, **options)
    assert {report.status for report in reports} <= {"ok", "violated"}
    return {report.title: report.rows for report in reports if report.status == "violated"}


async def test_a_healthy_database_is_clean(healthy):
    reports = await check_store(healthy, at_rest=True)
    assert {report.title: report.rows for report in reports if report.rows} == {}
    told = [report.invariant for report in reports]
    assert told == sorted(told, key=lambda name: int(name[1:]))
    assert set(told) == {f"I{number}" for number in range(1, 13)} - {"I10"}
    assert {report.status for report in reports} == {"ok"}


async def test_an_empty_database_is_clean(migrated_postgres_url):
    assert await violated(migrated_postgres_url, at_rest=True) == {}


async def test_a_healthy_file_is_clean(healthy_file):
    assert await violated(f"sqlite:///{healthy_file}", at_rest=True) == {}


@pytest.mark.parametrize(("name", "change", "expected"), ALL_PLANTED, ids=[name for name, *_ in ALL_PLANTED])
async def test_what_breaks_a_promise_is_named(healthy, name, change, expected):
    with psycopg.connect(healthy, autocommit=True, options="-c search_path=powerloop") as connection:
        connection.execute(change)
    rows = (await violated(healthy, at_rest=True)).get(TITLES[name], ())
    assert any(expected.items() <= row.items() for row in rows), rows


def test_every_check_is_known_to_fail():
    assert {name for name, *_ in ALL_PLANTED} == {check.name for check in CHECKS}


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [planted for planted in ALL_PLANTED if not any(word in planted[1] for word in ("now()", "DROP", "||"))],
)
async def test_the_same_is_named_in_a_file(healthy_file, name, change, expected):
    connection = sqlite3.connect(healthy_file)
    connection.executescript(change)
    connection.close()
    rows = (await violated(f"sqlite:///{healthy_file}", at_rest=True)).get(TITLES[name], ())
    assert any(expected.items() <= row.items() for row in rows), rows


async def test_a_late_write_is_named_in_a_file(healthy_file):
    connection = sqlite3.connect(healthy_file)
    connection.executescript("UPDATE messages SET created_at = '2100-01-01' WHERE send_id = 'stopped'")
    connection.close()
    found = await violated(f"sqlite:///{healthy_file}")
    assert {row["send"] for row in found[TITLES["afterwards"]]} == {"stopped"}


async def test_only_a_system_at_rest_must_have_driven_everything(healthy):
    with psycopg.connect(healthy, autocommit=True) as connection:
        connection.execute("DELETE FROM powerloop.worker_leases")
    assert await violated(healthy) == {}
    assert list(await violated(healthy, at_rest=True)) == [TITLES["driven"], TITLES["tasks_driven"]]


async def test_a_report_names_no_more_rows_than_asked_for(healthy):
    with psycopg.connect(healthy, autocommit=True) as connection:
        connection.execute("UPDATE powerloop.sessions SET seq = seq + 1")
    (rows,) = (await violated(healthy, invariants=["I3"], limit=2)).values()
    assert len(rows) == 2


async def test_a_check_that_takes_too_long_is_given_up(healthy):
    with psycopg.connect(healthy) as connection:
        connection.execute("LOCK TABLE powerloop.messages IN ACCESS EXCLUSIVE MODE")
        reports = await check_store(healthy, invariants=["I2", "I3"], timeout=timedelta(seconds=0.2))
    by_title = {report.title: report for report in reports}
    assert by_title[TITLES["gaps"]].status == "timed_out"
    assert "0.2 s" in by_title[TITLES["gaps"]].detail
    assert by_title[TITLES["call_epochs"]].status == "ok"


async def test_a_check_of_a_file_that_takes_too_long_is_given_up(healthy_file, monkeypatch):
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    monkeypatch.setattr(Check, "statement", lambda *_: endless)
    reports = await check_store(
        f"sqlite:///{healthy_file}", invariants=["I11"], timeout=timedelta(seconds=0.2)
    )
    assert [report.status for report in reports] == ["timed_out"]


async def test_nothing_can_be_written(healthy, monkeypatch):
    deletion = "DELETE FROM powerloop.worker_leases RETURNING id"
    monkeypatch.setattr(Check, "statement", lambda *_: deletion)
    with pytest.raises(StoreUnavailable):
        await check_store(healthy, invariants=["I9"])


async def test_nothing_can_be_written_to_a_file(healthy_file, monkeypatch):
    monkeypatch.setattr(Check, "statement", lambda *_: "DELETE FROM worker_leases RETURNING id")
    with pytest.raises(StoreUnavailable):
        await check_store(f"sqlite:///{healthy_file}", invariants=["I9"])


async def test_an_unknown_invariant_is_refused(healthy):
    with pytest.raises(InvalidInput, match="I10"):
        await check_store(healthy, invariants=["I10"])


async def test_a_database_without_a_schema_is_said_to_have_none(postgres_url):
    with pytest.raises(SchemaMissing):
        await check_store(postgres_url)


async def test_a_database_at_work_gives_no_false_alarm(migrated_postgres_url, bench):
    store, leases = bench.store, bench.leases
    await asyncio.to_thread(leases.renew, WorkerId("alive"), timedelta(minutes=5))
    kinds = (Conversations, Runs, Timed)
    work = asyncio.gather(*(kind(store, leases, f"{n}-").hold() for n in range(15) for kind in kinds))
    alarms = {}
    while not work.done():
        alarms |= await violated(migrated_postgres_url)
    await work
    assert alarms | await violated(migrated_postgres_url) == {}
