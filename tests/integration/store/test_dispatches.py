"""Each time that a send is made ready for a worker is stamped and counted on its row."""

import pytest

from powerloop.kernel.calls import Effect, NewToolCall
from powerloop.kernel.ids import CallId, InteractionId, SendId, WorkerId
from powerloop.kernel.interactions import InteractionKind, NewInteraction
from powerloop.kernel.messages import user_message
from powerloop.kernel.ports.journal import ModelCommit
from powerloop.kernel.suspension import Suspension
from powerloop.store import open_store

CALL = NewToolCall(id=CallId("call"), name="look", arguments={}, effect=Effect.ONCE, index=0)
COMMIT = ModelCommit(round=1, message=user_message("look"), calls=(CALL,), entries=())


@pytest.fixture(params=["single", "portable"])
async def store(request, bench, migrated_postgres_url):
    """A store with either form of the statements."""
    if request.param == "single":
        yield bench.store
        return
    store = open_store(migrated_postgres_url, portable=True)
    yield store
    await store.close()


@pytest.fixture
def dispatches(bench):
    """How often a send was dispatched, by its row."""

    async def count(send_id):
        query = "SELECT dispatches, dispatched_at FROM powerloop.sends WHERE id = %(id)s"
        (row,) = await bench.rows(query, id=send_id)
        assert (row["dispatches"] == 0) == (row["dispatched_at"] is None)
        return row["dispatches"]

    return count


def doubt(name):
    question = NewInteraction(
        id=InteractionId(name), kind=InteractionKind.IN_DOUBT, call_id=CALL.id, prompt="Did it happen?"
    )
    return Suspension(interactions=(question,))


async def test_a_send_is_dispatched_once_it_is_the_head(bench, store, dispatches):
    await bench.accept("warm-up", "other")
    first = await store.sends.accept(bench.new_send("first", "other"))
    assert await dispatches(first.send.id) == 0
    claim = await store.journal.claim((await store.sends.find(SendId("warm-up"))), WorkerId("worker"))
    assert await dispatches("warm-up") == 1
    await store.journal.finish(claim.fence, bench.completed())
    assert (await dispatches("warm-up"), await dispatches("first")) == (1, 1)


async def test_whatever_gives_a_send_back_dispatches_it_again(bench, store, dispatches):
    accepted = await bench.accept("first")
    worker, journal = WorkerId("worker"), store.journal
    claim = await journal.claim(accepted.send, worker)
    claim = await journal.claim(await journal.hand_over(claim.fence), worker)
    assert await dispatches("first") == 2

    await journal.commit_model(claim.fence, COMMIT)
    await journal.suspend(claim.fence, doubt("question"))
    assert await dispatches("first") == 2
    answered = await store.interactions.answer(InteractionId("question"), {"action": "run"})
    assert await dispatches("first") == 3

    claim = await journal.claim(answered.ready, worker)
    await journal.suspend(claim.fence, doubt("again"))
    await store.sends.cancel(SendId("first"))
    assert await dispatches("first") == 4


async def test_a_cancel_of_the_head_dispatches_the_next(bench, store, dispatches):
    await bench.accept("first")
    await bench.accept("second")
    await store.sends.cancel(SendId("first"))
    assert (await dispatches("first"), await dispatches("second")) == (1, 1)
