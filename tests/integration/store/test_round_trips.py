"""How often the hot statements cross the network, and how often they write: libpq and the server count."""

from collections.abc import AsyncIterator, Callable

import pytest
from psycopg._queries import MAX_CACHED_STATEMENT_LENGTH
from psycopg.pq import Trace
from sqlalchemy import event

from powerloop.kernel.calls import Effect, NewToolCall
from powerloop.kernel.ids import CallId, SendId, WorkerId
from powerloop.kernel.messages import NewMessage, Role, TextBlock
from powerloop.kernel.ports.journal import ModelCommit, ResultsCommit
from powerloop.store.postgres import statements
from powerloop.store.probe import probe


@pytest.fixture
async def round_trips(bench, tmp_path) -> AsyncIterator[Callable[[], int]]:
    """How often the store's new connections asked the server for an answer since this was last called."""
    log = (tmp_path / "trace").open("w+")

    def trace(connection, record):
        pgconn = connection.driver_connection.pgconn
        pgconn.trace(log.fileno())
        pgconn.set_trace_flags(Trace.SUPPRESS_TIMESTAMPS)

    engine = bench.store._database._engine.sync_engine
    event.listen(engine, "connect", trace)

    def count() -> int:
        log.seek(0)
        asked = [line for line in log.read().splitlines() if line.startswith("F\t") and "\tSync" in line]
        log.seek(0)
        log.truncate()
        return len(asked)

    yield count
    await bench.store.close()
    log.close()


async def written(bench) -> int:
    return (await probe(bench.url)).write_transactions


async def test_a_simple_send_is_two_write_transactions_of_one_statement_each(bench, round_trips):
    accepted = await bench.accept("warm-up", "other")
    await bench.store.journal.find_send(accepted.send.id)
    accepted = await bench.accept("first")
    round_trips()
    before = await written(bench)

    claim = await bench.store.journal.claim(accepted.send, WorkerId("worker"))
    assert round_trips() == 1
    await bench.store.journal.finish(claim.fence, bench.completed())
    assert round_trips() == 1
    assert await written(bench) - before == 2


async def test_each_hot_method_is_one_round_trip_and_at_most_one_transaction(bench, round_trips):
    await bench.accept("warm-up", "other")
    await bench.accept("busy-work", "session")
    journal, sends = bench.store.journal, bench.store.sends
    claim = await journal.claim((await sends.find(bench.new_send("busy-work").id)), WorkerId("worker"))
    message = NewMessage(role=Role.ASSISTANT, content=(TextBlock(text="x"),))
    calls = tuple(
        NewToolCall(id=CallId(f"call-{n}"), name="t", arguments={}, effect=Effect.ONCE, index=n)
        for n in range(3)
    )
    commit = ModelCommit(round=1, message=message, calls=calls, entries=())
    results = ResultsCommit(outcomes=(), message=message)
    hot = {
        "accept": (lambda: sends.accept(bench.new_send("second")), 1),
        "find": (lambda: sends.find(claim.send.id), 0),
        "find_send": (lambda: journal.find_send(claim.send.id), 0),
        "load_window": (lambda: journal.load_window(claim.fence.session_id), 0),
        "load_calls": (lambda: journal.load_calls(claim.send.id), 0),
        "commit_model": (lambda: journal.commit_model(claim.fence, commit), 1),
        "start_calls": (lambda: journal.start_calls(claim.fence, [CallId("call-1")]), 1),
        "commit_results": (lambda: journal.commit_results(claim.fence, results), 1),
    }
    counted = {}
    for name, (call, _) in hot.items():
        round_trips()
        before = await written(bench)
        await call()
        counted[name] = (round_trips(), await written(bench) - before)

    assert counted == {name: (1, writes) for name, (_, writes) in hot.items()}


@pytest.mark.parametrize("cancelled", [["first"], ["second"], ["first", "second"]], ids=str)
async def test_a_finish_passes_over_cancelled_sends_in_one_round_trip(bench, round_trips, cancelled):
    await bench.accept("warm-up", "other")
    claim = await bench.claimed("running")
    for name in ("first", "second"):
        await bench.accept(name)
    for name in cancelled:
        await bench.store.sends.cancel(SendId(name))
    round_trips()
    before = await written(bench)
    finished = await bench.store.journal.finish(claim.fence, bench.completed())
    assert (round_trips(), await written(bench) - before) == (1, 1)

    left = [name for name in ("first", "second") if name not in cancelled]
    assert [finished.next_head.id] == left if left else finished.next_head is None


async def test_a_hand_over_is_one_round_trip(bench, round_trips):
    await bench.accept("warm-up", "other")
    claim = await bench.claimed("first")
    round_trips()
    await bench.store.journal.hand_over(claim.fence)
    assert round_trips() == 1


async def test_a_refused_claim_writes_nothing(bench):
    claim = await bench.claimed("first", "alive")
    before = await bench.rows("SELECT xmin::text, * FROM powerloop.sessions")
    assert await bench.store.journal.claim(claim.send, WorkerId("other")) is None
    assert await bench.rows("SELECT xmin::text, * FROM powerloop.sessions") == before


def test_each_statement_is_short_enough_for_the_driver_to_parse_once():
    texts = {name: value for name, value in vars(statements).items() if isinstance(value, bytes)}
    assert len(texts) == 10
    assert {name: len(text) for name, text in texts.items() if len(text) > MAX_CACHED_STATEMENT_LENGTH} == {}
