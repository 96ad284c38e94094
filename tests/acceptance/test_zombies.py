"""Workers that are thought dead and are not: paused, or cut off from the database. What they hold is safe."""

import asyncio
import signal
from collections.abc import Iterator
from datetime import timedelta
from time import monotonic
from urllib.parse import urlsplit
from uuid import uuid4

import psutil
import psycopg
import pytest
from psycopg import sql

from powerloop import AsyncPowerLoop, SendHandle, SendStatus
from powerloop.testing.wire import Reply, WireCall, WireProcess

pytestmark = [pytest.mark.acceptance, pytest.mark.takes("machine")]

APP = '''
import asyncio, os, signal, threading
from pathlib import Path

from powerloop import Agent, tool
from powerloop.kernel.crash_points import CrashPoint, arm

folder = Path(os.environ["FOLDER"])

@tool(effect="read")
async def wait() -> str:
    """Wait until the test says so."""
    while not (folder / "go").exists():
        await asyncio.sleep(0.01)
    return "waited"

def pause(point: CrashPoint) -> None:
    """Stop where a model has answered and nothing is written, once the test asks for it."""
    if point is CrashPoint.AFTER_MODEL and (folder / "pause").exists():
        (folder / "pause").unlink()
        # To this thread: it must not run on while another one takes the signal.
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)

arm(pause)
agent = Agent(name="sleeper", model="openai:gpt-test", tools=[wait])
'''

TTL_S = 1.0
SENDS = 6


@pytest.fixture
def wire() -> Iterator[WireProcess]:
    with WireProcess() as wire:
        yield wire


@pytest.fixture
def environment(system, wire) -> dict[str, str]:
    """What the workers are told."""
    system.add_app("sleeping_agents", APP)
    return {
        **wire.environ,
        "FOLDER": str(system.folder),
        "POWERLOOP_APP": "sleeping_agents",
        "POWERLOOP_LEASE_TTL": str(TTL_S),
        "POWERLOOP_LOCK_TTL": str(TTL_S),
    }


class Guest:
    """A role for one worker, so that the database can turn that worker away and nobody else."""

    def __init__(self, database_url: str) -> None:
        self._host = psycopg.connect(database_url, autocommit=True)
        self._name = f"guest_{uuid4().hex}"
        self._run("CREATE ROLE {} LOGIN PASSWORD 'guest' IN ROLE CURRENT_USER")
        where = urlsplit(database_url)
        at = f"{self._name}:guest@{where.hostname}:{where.port}"
        self.database_url = where._replace(netloc=at).geturl()

    def turn_away(self) -> None:
        """Cut its connections, and take no more."""
        self._run("ALTER ROLE {} CONNECTION LIMIT 0")
        self._host.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [self._name]
        )

    def let_in(self) -> None:
        self._run("ALTER ROLE {} CONNECTION LIMIT -1")

    def forget(self) -> None:
        self._run("DROP ROLE {}")
        self._host.close()

    def _run(self, statement: str) -> None:
        self._host.execute(sql.SQL(statement).format(sql.Identifier(self._name)))


@pytest.fixture
def guest(migrated_postgres_url: str) -> Iterator[Guest]:
    guest = Guest(migrated_postgres_url)
    yield guest
    guest.forget()


async def test_a_paused_worker_that_comes_back_writes_nothing_more(
    system, loop: AsyncPowerLoop, wire, environment, eventually
):
    wire.on("sleep", Reply(calls=(WireCall(name="wait"),)), Reply(text="Slept.", delay=timedelta(seconds=4)))
    system.start_beat(POWERLOOP_SWEEP_INTERVAL="0.2")
    paused = system.start_worker(**environment)
    sends, behind = await begin(loop)
    await eventually(lambda: wire.stats().served == SENDS, "each send has asked for its tool")
    successor = system.start_worker(**environment)
    # The second answers to the worker come while it is paused, the first of them just before.
    wire.enqueue(*[Reply(text="A ghost speaks.", delay=timedelta(seconds=2))] * SENDS)
    (system.folder / "go").touch()
    await eventually(lambda: wire.stats().in_flight == SENDS, "each send is in its second model call")
    (system.folder / "pause").touch()
    await eventually(lambda: is_paused(paused), "the worker is paused")
    paused_at = monotonic()
    await eventually(lambda: wire.stats().served == 3 * SENDS, "the successor asks for each send", within=20)
    await eventually(lambda: monotonic() - paused_at > 3 * TTL_S, "three TTLs have passed")
    paused.signal(signal.SIGCONT)
    await eventually(lambda: gave_up(paused, sends), "the worker has given each send up, once")
    await all_complete([*sends, *behind])
    for send in sends:
        await check_log(loop, send)
    assert "send fenced" not in successor.output()
    assert "send lost" not in successor.output()


async def test_a_worker_without_its_database_abandons_its_sends_and_goes_on_with_them_later(
    guest, system, loop: AsyncPowerLoop, wire, environment, eventually
):
    # Nobody sweeps, and nobody else takes sends.
    worker = system.start_worker(**environment, POWERLOOP_DATABASE_URL=guest.database_url)
    wire.enqueue(*[Reply(text="Too late.", delay=timedelta(minutes=5))] * SENDS)
    sends, behind = await begin(loop)
    await eventually(lambda: wire.stats().in_flight == SENDS, "each send is in its model call")
    guest.turn_away()
    await eventually(lambda: wire.stats().cut == SENDS, "the worker has hung up on the model")
    await eventually(lambda: gave_up(worker, sends), "the worker has given each send up, once")
    # It could not say so: the sends are its own still, for the sweeper or for itself.
    assert {await send.status() for send in sends} == {SendStatus.RUNNING}
    guest.let_in()
    await all_complete([*sends, *behind])
    assert "lease regained" in worker.output()
    for send in sends:
        messages = await loop.messages(send.session_id)
        told = [(message.text, message.epoch) for message in messages[:2]]
        assert told == [("sleep", 1), ("You said: sleep", 2)]
        assert (await send.refresh()).attempt == 2


async def begin(loop: AsyncPowerLoop) -> tuple[list[SendHandle], list[SendHandle]]:
    """A send in each of some sessions, and one behind each."""
    sessions = [await loop.create_session("sleeper") for _ in range(SENDS)]
    sends = [await loop.send(session.id, "sleep") for session in sessions]
    return sends, [await loop.send(session.id, "wake up") for session in sessions]


async def all_complete(sends: list[SendHandle]) -> None:
    results = await asyncio.gather(*(send.result(timeout=30) for send in sends))
    assert {result.status for result in results} == {SendStatus.COMPLETED}


async def check_log(loop: AsyncPowerLoop, send: SendHandle) -> None:
    """The first round is the paused worker's, all after it the successor's, and the send ended once."""
    messages = await loop.messages(send.session_id)
    told = [(str(message.role), message.text, message.epoch) for message in messages]
    assert told == [
        ("user", "sleep", 1),
        ("assistant", "", 1),
        ("tool", "", 1),
        ("assistant", "Slept.", 2),
        ("user", "wake up", 3),
        ("assistant", "You said: wake up", 3),
    ]
    assert (await send.refresh()).attempt == 2


def is_paused(worker) -> bool:
    return psutil.Process(worker.pid).status() == psutil.STATUS_STOPPED


def gave_up(worker, sends: list[SendHandle]) -> bool:
    """Whether the worker says of each send, once, that it is somebody else's.

    It hears so from a write that is refused, or from its heartbeat, whichever is faster.
    """
    lines = [line for line in worker.output().splitlines() if "send fenced" in line or "send lost" in line]
    return sorted(send.id for line in lines for send in sends if f"send_id={send.id}" in line) == sorted(
        send.id for send in sends
    )
