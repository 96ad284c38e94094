"""The store in memory, where it is more than its ports: its clock, its ledger, its threads."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import pytest

from powerloop.kernel.ids import SendId, SessionId, WorkerId
from powerloop.kernel.messages import TextBlock
from powerloop.kernel.ports.journal import Ending
from powerloop.kernel.sends import NewSend, StopReason
from powerloop.kernel.sessions import NewSession
from powerloop.kernel.usage import CallOutcome, ModelCallEntry, Usage
from powerloop.store.memory import MemoryLeases, MemoryStore

OWNER, HEIR = WorkerId("owner"), WorkerId("heir")


class StoppedClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.at = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> StoppedClock:
    """A clock that only the test moves."""
    return StoppedClock()


@pytest.fixture
async def store(clock: StoppedClock) -> MemoryStore:
    """A store with one send of one session."""
    store = MemoryStore(clock)
    await store.sessions.create(NewSession(id=SessionId("session"), agent="support"))
    content = (TextBlock(text="hello"),)
    await store.sends.accept(NewSend(id=SendId("send"), session_id=SessionId("session"), content=content))
    return store


async def test_a_lease_runs_out_when_its_time_is_over_by_the_given_clock(store, clock):
    leases = MemoryLeases(store)
    leases.renew(OWNER, timedelta(seconds=4))
    send = await store.sends.find(SendId("send"))
    assert await store.journal.claim(send, OWNER)

    clock.at += timedelta(seconds=3.999)
    assert await store.journal.claim(send, HEIR) is None
    clock.at += timedelta(seconds=0.001)
    assert (await store.journal.claim(send, HEIR)).send.owner == HEIR


async def test_instants_are_those_of_the_given_clock(store, clock):
    session = await store.sessions.find(SessionId("session"))
    assert session.created_at == clock.at


async def test_the_ledger_can_be_read(store):
    claim = await store.journal.claim(await store.sends.find(SendId("send")), OWNER)
    entry = ModelCallEntry(
        model="scripted:demo",
        usage=Usage(input_tokens=1),
        outcome=CallOutcome.OK,
        latency=timedelta(seconds=1),
    )
    ending = Ending.completed(StopReason.END_TURN, rounds=1, output=(), entries=(entry,))
    await store.journal.finish(claim.fence, ending)
    (row,) = store.ledger
    assert (row.send_id, row.round, row.attempt, row.entry) == ("send", 1, 1, entry)


async def test_leases_may_be_renewed_from_another_thread(store):
    leases, stopping = MemoryLeases(store), threading.Event()

    def renew() -> None:
        while not stopping.is_set():
            leases.renew(OWNER, timedelta(seconds=4))
            leases.release(WorkerId("other"))

    thread = threading.Thread(target=renew)
    thread.start()
    send = await store.sends.find(SendId("send"))
    leases.renew(OWNER, timedelta(seconds=4))
    assert await store.journal.claim(send, OWNER)
    for _ in range(200):
        assert await store.journal.claim(send, HEIR) is None
        await asyncio.sleep(0)
    stopping.set()
    thread.join()
