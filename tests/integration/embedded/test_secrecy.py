"""Both servers: who can reach them, and who can read their password."""

import os
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from powerloop.embedded import PostgresServer, RedisServer
from powerloop.embedded.server import EmbeddedServer

pytestmark = pytest.mark.integration


@pytest.fixture(params=["postgres_server", "redis_server"])
def server(request: pytest.FixtureRequest) -> EmbeddedServer:
    return request.getfixturevalue(request.param)


@pytest.fixture
def home(server: EmbeddedServer, server_folder: Path) -> Path:
    return server_folder / ("redis" if isinstance(server, RedisServer) else "postgres")


@pytest.fixture
def password(home: Path) -> str:
    return (home / "password").read_text()


@pytest.fixture
def process(server: EmbeddedServer) -> psutil.Process:
    assert server.pid
    return psutil.Process(server.pid)


def connect(url: str) -> None:
    if url.startswith("redis"):
        with closing(redis.Redis.from_url(url)) as client:
            client.ping()
    else:
        psycopg.connect(url).close()


def test_it_listens_on_loopback_alone(server: EmbeddedServer, process: psutil.Process):
    listening = [c for c in process.net_connections("all") if c.status == psutil.CONN_LISTEN]
    assert {(c.laddr.ip, c.laddr.port) for c in listening} == {("127.0.0.1", server.port)}


def test_it_opens_no_unix_socket(process: psutil.Process):
    assert [c.laddr for c in process.net_connections("unix") if c.laddr] == []


def test_it_lets_the_password_in(server: EmbeddedServer):
    connect(server.url)


@pytest.mark.parametrize("instead", [":wrong@", "@"], ids=["wrong", "none"])
def test_it_refuses_another_password_and_none(server: EmbeddedServer, password: str, instead: str):
    with pytest.raises((psycopg.OperationalError, redis.AuthenticationError)):
        connect(server.url.replace(f":{password}@", instead))


def test_the_password_is_on_no_command_line(process: psutil.Process, password: str):
    assert len(password) >= 32
    assert password not in " ".join(process.cmdline())


def test_the_password_is_not_in_the_environment(process: psutil.Process, password: str):
    assert password not in " ".join(process.environ().values())


def test_its_files_are_for_its_owner_alone(home: Path):
    files = [path for path in home.iterdir() if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE((home / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE(home.stat().st_mode) & 0o066 == 0


def test_ctrl_c_in_the_terminal_does_not_reach_it(server: EmbeddedServer):
    assert server.pid
    assert os.getpgid(server.pid) == os.getsid(server.pid) == server.pid


def test_redis_evicts_nothing_and_postgres_forgets_quickly(
    redis_server: RedisServer, postgres_server: PostgresServer
):
    with closing(redis.Redis.from_url(redis_server.url)) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    with psycopg.connect(postgres_server.url) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("off",)


@pytest.fixture
def durable_servers(folder: Path) -> Iterator[tuple[str, str]]:
    with PostgresServer(folder / "postgres") as database, RedisServer(folder / "redis") as broker:
        yield database.url, broker.url


def test_durable_servers_wait_for_the_disk(durable_servers: tuple[str, str]):
    database_url, redis_url = durable_servers
    with psycopg.connect(database_url) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert connection.execute(f"SHOW {setting}").fetchone() == ("on",)
    with closing(redis.Redis.from_url(redis_url)) as client:
        assert client.config_get("append*")["appendonly"] == "yes"
        assert client.config_get("appendfsync") == {"appendfsync": "everysec"}
