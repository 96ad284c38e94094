"""Both servers: data outlive a restart, a second start is refused, nothing outlives its owner."""

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from powerloop.embedded import PostgresServer, RedisServer
from powerloop.embedded.server import EmbeddedServer
from powerloop.kernel.errors import EmbeddedBusy, EmbeddedUnavailable

pytestmark = pytest.mark.integration

START_AND_WAIT = """
import json, sys
from powerloop.embedded import PostgresServer, RedisServer
server = globals()[sys.argv[1]](sys.argv[2]).start()
print(json.dumps({"pid": server.pid, "url": server.url}), flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=[PostgresServer, RedisServer], ids=["postgres", "redis"])
def server_type(request: pytest.FixtureRequest) -> type[EmbeddedServer]:
    return request.param


@pytest.fixture
def place(server_type: type[EmbeddedServer], folder: Path, place_postgres: Callable[[Path], None]) -> Path:
    """The server's folder."""
    if server_type is PostgresServer:
        place_postgres(folder / "server")
    return folder / "server"


@pytest.fixture
def server(server_type: type[EmbeddedServer], place: Path) -> Iterator[EmbeddedServer]:
    server = server_type(place)
    yield server
    server.stop()


def remember(url: str) -> None:
    """Write something down and have it acknowledged."""
    if url.startswith("redis"):
        with closing(redis.Redis.from_url(url)) as client:
            client.set("kept", "yes")
        return
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept (yes boolean)")


def remembers(url: str) -> bool:
    if url.startswith("redis"):
        with closing(redis.Redis.from_url(url)) as client:
            return client.get("kept") == b"yes"
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT to_regclass('kept') IS NOT NULL").fetchone() == (True,)


def test_data_and_address_outlive_a_restart(
    server: EmbeddedServer, server_type: type[EmbeddedServer], place: Path
):
    address = server.start().url
    remember(address)
    server.stop()
    assert not server.running
    with server_type(place) as another:
        assert another.url == address
        assert remembers(another.url)


def test_data_outlive_a_kill(server: EmbeddedServer):
    remember(server.start().url)
    server.kill()
    assert not server.running
    assert remembers(server.start().url)


def test_data_outlive_a_kill_of_the_owner(
    victim: Callable, server: EmbeddedServer, server_type: type, place: Path
):
    owner = victim(START_AND_WAIT, server_type.__name__, str(place))
    remember(owner.said["url"])
    owner.send(signal.SIGKILL)
    assert remembers(server.start().url)


def test_a_kill_of_the_owner_leaves_no_server_behind(
    victim: Callable, gone: Callable, eventually_blocking: Callable, server_type: type, place: Path
):
    owner = victim(START_AND_WAIT, server_type.__name__, str(place))
    processes = [owner.said["pid"], *(p.pid for p in psutil.Process(owner.said["pid"]).children())]
    owner.send(signal.SIGKILL)
    eventually_blocking(lambda: all(map(gone, processes)), "the server and its children are gone")


def test_the_server_outlives_the_thread_that_started_it(server: EmbeddedServer):
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    assert not remembers(server.url)
    assert server.running


def test_a_second_start_in_the_same_folder_is_refused_in_words(
    server: EmbeddedServer, server_type: type[EmbeddedServer], place: Path
):
    server.start()
    with pytest.raises(EmbeddedBusy, match=rf"{server.name} already runs in .*/server"):
        server_type(place).start()
    assert server.running


def test_a_second_start_from_another_process_is_refused(
    victim: Callable, gone: Callable, server: EmbeddedServer, server_type: type, place: Path
):
    owner = victim(START_AND_WAIT, server_type.__name__, str(place))
    with pytest.raises(EmbeddedBusy):
        server.start()
    assert not gone(owner.said["pid"])


def test_the_last_port_is_given_up_when_it_was_taken(server_type: type[EmbeddedServer], place: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        place.mkdir(exist_ok=True)
        (place / "port").write_text(str(port))
        with server_type(place) as server:
            assert server.port != port
            assert not remembers(server.url)


def test_a_wanted_port_that_is_taken_is_an_error_that_leaves_the_folder_free(
    server_type: type[EmbeddedServer], place: Path
):
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(EmbeddedUnavailable, match=r"(?s)did not start.*[Aa]ddress already in use"),
    ):
        server_type(place, port=taken.getsockname()[1]).start()
    with server_type(place) as server:
        assert server.running


def test_the_folder_may_have_a_long_name_with_spaces_and_quotes(
    server_type: type[EmbeddedServer], folder: Path
):
    with server_type(folder / ("a long 'name' " * 12) / "server", durable=False) as server:
        assert not remembers(server.url)


def test_a_folder_that_is_a_file_is_said_to_be_unusable(server_type: type[EmbeddedServer], folder: Path):
    (folder / "server").write_text("")
    with pytest.raises(EmbeddedUnavailable, match="cannot use"):
        server_type(folder / "server").start()
