"""The fixtures keep what they promise."""

import time
from collections.abc import Iterator

import psycopg
import pytest
import redis

from powerloop.embedded import PostgresServer


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_has_an_empty_database_of_its_own(postgres_url: str, turn: int):
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE things (id int)")


@pytest.fixture(scope="module")
def left_open() -> Iterator[list[psycopg.Connection]]:
    connections: list[psycopg.Connection] = []
    yield connections
    for connection in connections:
        connection.close()


@pytest.mark.parametrize("turn", [1, 2])
def test_a_database_is_dropped_though_connections_were_left_open(
    postgres_server: PostgresServer, postgres_url: str, left_open: list[psycopg.Connection], turn: int
):
    names = [connection.info.dbname for connection in left_open]
    with psycopg.connect(postgres_server.url_of("postgres")) as connection:
        present = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
    assert not present.intersection(names)
    left_open.append(psycopg.connect(postgres_url))


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_finds_redis_empty(redis_url: str, turn: int):
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "behind")


async def test_eventually_returns_what_the_condition_returns(eventually):
    answers = iter([None, 0, "there"])
    assert await eventually(lambda: next(answers), "it is there") == "there"


async def test_eventually_takes_an_async_condition(eventually):
    async def condition() -> bool:
        return True

    assert await eventually(condition, "it is so")


def test_eventually_fails_with_the_description_and_what_was_seen_last(eventually_blocking):
    def condition():
        raise AssertionError("still 3 rows")

    began = time.monotonic()
    with pytest.raises(pytest.fail.Exception, match=r"the queue is empty.*still 3 rows"):
        eventually_blocking(condition, "the queue is empty", within=0.1)
    assert time.monotonic() - began < 5
