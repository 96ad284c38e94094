"""Fixtures that every tier may use: real servers of our own, servers that happen to answer, and waiting."""

import asyncio
import fcntl
import inspect
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psutil
import psycopg
import pytest
import redis
from psycopg import sql

from powerloop.embedded import PostgresServer, RedisServer

Copying = Callable[[str], AbstractContextManager[str]]

_FOLDER_PREFIX = "powerloop-tests-"
_PLENTY_BYTES = 2 * 1024**3

#: The folders of tests that run processes, or talk to them.
_REAL = {"conformance", "integration", "acceptance"}


def pytest_configure() -> None:
    """Let processes under test be interrupted, though a shell has started us with ``&``.

    It has such a program ignore Ctrl-C, and the program's children inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Children that pytest starts inherit the width of its terminal: readline, which it imports, sees to that.
    # Programs under test write to pipes, which have none.
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give tests of real processes more chances: they share the machine with whatever else runs there.

    A test that needed one is listed at the end of the run. Everything else passes at once or fails.
    """
    for item in items:
        if _REAL & set(item.path.parts):
            item.add_marker(pytest.mark.flaky(reruns=2))
        if "rabbitmq_url" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.takes("rabbitmq"))
    if hasattr(config, "workerinput"):
        # Of two processes, the first has enough to do with those that wait for each other.
        items.sort(key=lambda item: "machine" not in _taken(item))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Wait until no other test takes what this one takes; its timeout begins after that.

    Not by the groups of xdist, which know one run only, and which it passes over under pytest 9.2.
    """
    with ExitStack() as turns:
        for name in sorted(_taken(item)):
            turns.enter_context(_turn(name))
        return (yield)


def _taken(item: pytest.Item) -> set[str]:
    return {name for mark in item.iter_markers("takes") for name in mark.args}


@contextmanager
def _turn(name: str) -> Iterator[None]:
    path = Path(tempfile.gettempdir(), f"powerloop-tests-{os.getuid()}-{name}.lock")
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# Our own servers


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Callable[[], Path]]:
    """Makes empty folders for servers, removed at the end.

    Not pytest's own, which are closed to the account that root's Postgres runs as. In memory, where there is
    plenty: a database is a thousand files.
    """
    made: list[Path] = []
    place = Path("/dev/shm")
    in_memory = place.is_dir() and shutil.disk_usage(place).free > _PLENTY_BYTES
    if in_memory:
        _remove_left_behind(place)

    def make() -> Path:
        name = tempfile.mkdtemp(prefix=f"{_FOLDER_PREFIX}{os.getpid()}-", dir=place if in_memory else None)
        made.append(Path(name))
        made[-1].chmod(0o711)
        return made[-1]

    yield make
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_left_behind(place: Path) -> None:
    # What a killed test run left would fill the memory.
    for folder in place.glob(f"{_FOLDER_PREFIX}*"):
        owner = int(folder.name.removeprefix(_FOLDER_PREFIX).split("-")[0])
        if not psutil.pid_exists(owner):
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def server_folder(open_folder: Callable[[], Path]) -> Path:
    """Where the servers that all tests share have their data."""
    return open_folder()


@pytest.fixture(scope="session")
def postgres_server(server_folder: Path) -> Iterator[PostgresServer]:
    """One Postgres for all tests, forgetful and quick."""
    with PostgresServer(server_folder / "postgres", durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def database_like(postgres_server: PostgresServer) -> Iterator[Copying]:
    """``with database_like(template) as url``: a copy of a database, dropped at the end.

    By one connection for all of them: to open one for each takes a quarter as long as the copy.
    """
    with psycopg.connect(postgres_server.url_of("postgres"), autocommit=True) as connection:

        @contextmanager
        def copy(template: str) -> Iterator[str]:
            name = f"test_{uuid4().hex}"
            names = map(sql.Identifier, (name, template))
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
            try:
                yield postgres_server.url_of(name)
            finally:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

        yield copy


@pytest.fixture
def postgres_url(database_like: Copying) -> Iterator[str]:
    """The ``postgresql://`` URL of an empty database that only this test has."""
    with database_like("template0") as url:
        yield url


@pytest.fixture(scope="session")
def migrated_template(database_like: Copying) -> Iterator[str]:
    """The name of a database that is migrated once and copied for each test."""
    migrate = import_module("powerloop.store.migrate")
    with database_like("template0") as url:
        _finish(migrate.upgrade(url))
        yield urlsplit(url).path[1:]


@pytest.fixture
def migrated_postgres_url(database_like: Copying, migrated_template: str) -> Iterator[str]:
    """The URL of a database with powerloop's schema and no rows, that only this test has."""
    with database_like(migrated_template) as url:
        yield url


@pytest.fixture(scope="session")
def redis_server(server_folder: Path) -> Iterator[RedisServer]:
    """One Redis for all tests, forgetful."""
    with RedisServer(server_folder / "redis", durable=False) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL, with its password, of a Redis that was just emptied."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


def _finish(result: Any) -> Any:
    async def wait() -> Any:
        return await result

    if not inspect.isawaitable(result):
        return result
    # In a thread: the test that asks for the fixture may have a loop that runs.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, wait()).result()


# Servers that are used where they answer, and skipped where they do not


@pytest.fixture
def mariadb_url() -> Iterator[str]:
    """The ``mysql://`` URL of an empty database that only this test has, on the MariaDB that answers here."""
    asyncmy = pytest.importorskip("asyncmy", reason="the driver is not installed (powerloop[mysql])")
    server = _answering("TEST_MARIADB_URL", "mysql://root@127.0.0.1:3306", "MariaDB")
    where = urlsplit(server)

    async def administer(statement: str) -> None:
        connection = await asyncmy.connect(
            host=where.hostname, port=where.port, user=where.username, password=where.password or ""
        )
        async with connection.cursor() as cursor:
            await cursor.execute(statement)
        await connection.ensure_closed()

    name = f"test_{uuid4().hex}"
    asyncio.run(administer(f"CREATE DATABASE {name} CHARACTER SET utf8mb4"))
    yield f"{server}/{name}"
    asyncio.run(administer(f"DROP DATABASE {name}"))


@pytest.fixture(scope="session")
def rabbitmq_url() -> str:
    """The ``amqp://`` URL of the RabbitMQ that answers here. It is shared: give queues names of their own."""
    return _answering("TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//", "RabbitMQ")


@pytest.fixture(scope="session")
def docker() -> str:
    """The path of the `docker` command, where an engine answers it."""
    program = shutil.which("docker")
    if not program:
        pytest.skip("docker is not installed")
    answer = subprocess.run([program, "info"], capture_output=True, check=False, timeout=30)
    if answer.returncode:
        pytest.skip("no Docker engine answers `docker info`")
    return program


def _answering(variable: str, default: str, name: str) -> str:
    url = os.environ.get(variable, default)
    where = urlsplit(url)
    try:
        socket.create_connection((where.hostname, where.port), timeout=2).close()
    except OSError as error:
        pytest.skip(
            f"no {name} answers on {where.hostname}:{where.port} ({error}); {variable} may name another"
        )
    return url


# Waiting


@pytest.fixture
def eventually() -> Callable[..., Awaitable[Any]]:
    """``await eventually(condition, "the send completes", within=10.0)``: poll until it is so, or fail.

    The condition is a function, sync or async. What it returns is passed on once that is true; an
    `AssertionError` of its own means not yet.
    """
    return _wait_until


@pytest.fixture
def eventually_blocking() -> Callable[..., Any]:
    """`eventually` for tests that are not coroutines."""

    def wait(condition: Callable[[], Any], description: str, within: float = 10.0) -> Any:
        return asyncio.run(_wait_until(condition, description, within))

    return wait


async def _wait_until(condition: Callable[[], Any], description: str, within: float = 10.0) -> Any:
    deadline = time.monotonic() + within
    while True:
        try:
            value = condition()
            value = await value if inspect.isawaitable(value) else value
            if value:
                return value
            last = f"the condition returned {value!r}"
        except AssertionError as error:
            last = f"the condition said: {error}"
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within:g} s: {description}; at last, {last}", pytrace=False)
        await asyncio.sleep(0.02)
