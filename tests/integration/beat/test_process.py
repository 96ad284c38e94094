"""A beat as a process: how it starts, waits, and stops."""

import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from powerloop.embedded import PostgresServer

pytestmark = pytest.mark.integration


@pytest.fixture
def own_postgres(server_folder: Path) -> Iterator[PostgresServer]:
    """A Postgres that only this test has, to be stopped and started."""
    with PostgresServer(server_folder / f"beat-{uuid4().hex}", durable=False) as server:
        yield server


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_beat_stops_at_once_when_it_is_told_to(system, start_beat, eventually, number):
    beat = start_beat(system)
    await eventually(lambda: "beat started" in beat.log, "it has started", within=20)
    assert beat.stop(number) == 0
    assert "Traceback" not in beat.log


async def test_a_database_that_is_away_is_waited_for_and_told_of_once(
    own_postgres, redis_url, start_beat, eventually
):
    system = {"POWERLOOP_DATABASE_URL": own_postgres.url, "POWERLOOP_REDIS_URL": redis_url}
    system["POWERLOOP_SWEEP_INTERVAL"] = "0.1"
    own_postgres.stop()
    beat = start_beat(system)
    await eventually(lambda: "service away" in beat.log, "it finds no database", within=20)
    own_postgres.start()
    await eventually(lambda: "beat started" in beat.log, "it has started", within=20)
    own_postgres.stop()
    await eventually(lambda: "not swept" in beat.log, "it misses the database", within=20)
    own_postgres.start()
    await eventually(lambda: "sweeping again" in beat.log, "it sweeps again", within=20)
    assert (beat.log.count("service away"), beat.log.count("not swept")) == (1, 1)
    assert beat.stop() == 0


async def test_a_beat_that_finds_no_service_at_all_stops_when_it_is_told_to(start_beat, eventually):
    beat = start_beat(
        {"POWERLOOP_DATABASE_URL": "postgresql://127.0.0.1:1/x", "POWERLOOP_REDIS_URL": "redis://127.0.0.1:1"}
    )
    await eventually(lambda: "service away" in beat.log, "it finds no database", within=20)
    assert beat.stop() == 0


def test_a_schema_that_is_missing_under_the_policy_verify_ends_it(postgres_url, redis_url, start_beat):
    beat = start_beat(
        {
            "POWERLOOP_DATABASE_URL": postgres_url,
            "POWERLOOP_REDIS_URL": redis_url,
            "POWERLOOP_SCHEMA_POLICY": "verify",
        }
    )
    assert beat.process.wait(20) == 3
    assert "store.schema_missing" in beat.log
    assert "Traceback" not in beat.log
