"""Cancels that meet other writes on Postgres, forced by holding the rows that both of them need."""

import asyncio

import pytest

from powerloop.kernel.calls import Effect, NewToolCall
from powerloop.kernel.ids import CallId, InteractionId, SendId, WorkerId
from powerloop.kernel.interactions import InteractionKind, NewInteraction
from powerloop.kernel.messages import NewMessage, Role, TextBlock
from powerloop.kernel.ports.journal import Committed, ModelCommit, ResultsCommit
from powerloop.kernel.sends import CancelEffect, SendStatus
from powerloop.kernel.suspension import Suspended, Suspension
from powerloop.store.advancing import advance_session

HOLD = "SELECT 1 FROM powerloop.sessions WHERE id = 'session' FOR UPDATE"
#: What another process's cancel writes, under the session's lock.
REQUEST = (
    "UPDATE powerloop.sends SET cancel_requested_at = now(), cancel_reason = 'late', cancel_actor = '' "
    "WHERE id = '{}'"
)
CANCEL = REQUEST.replace("SET ", "SET status = 'cancelled', ended_at = now(), ", 1)
COUNT = "UPDATE powerloop.sessions SET finished = {} WHERE id = 'session'"

MESSAGE = NewMessage(role=Role.ASSISTANT, content=(TextBlock(text="I shall look."),))
CALL = NewToolCall(id=CallId("call"), name="look", arguments={}, effect=Effect.ONCE, index=0)
QUESTION = NewInteraction(
    id=InteractionId("question"), kind=InteractionKind.IN_DOUBT, call_id=CALL.id, prompt="Did it happen?"
)


@pytest.fixture
def meanwhile(bench, blocked):
    """``await meanwhile(call, *statements)``: run the statements while the call waits for the session."""

    async def run(call, *statements):
        await bench.other.execute("BEGIN")
        await bench.other.execute(HOLD)
        calling = asyncio.create_task(call)
        await blocked(calling)
        for statement in statements:
            await bench.other.execute(statement)
        await bench.other.execute("COMMIT")
        return await calling

    return run


async def session_of(bench):
    (session,) = await bench.store.sessions.list()
    return session


async def test_a_finish_passes_by_a_send_that_was_cancelled_while_it_waited(bench, meanwhile):
    claim = await bench.claimed("first")
    await bench.accept("second")
    await bench.accept("third")
    finished = await meanwhile(
        bench.store.journal.finish(claim.fence, bench.completed()), CANCEL.format("second")
    )
    assert finished.next_head.id == "third"
    assert finished.next_head == await bench.store.sends.find(SendId("third"))
    assert (await session_of(bench)).finished == 2


async def test_a_finish_behind_which_all_was_cancelled_while_it_waited_leaves_an_idle_session(
    bench, meanwhile
):
    claim = await bench.claimed("first")
    await bench.accept("second")
    await bench.accept("third")
    finished = await meanwhile(
        bench.store.journal.finish(claim.fence, bench.completed()),
        CANCEL.format("second"),
        CANCEL.format("third"),
    )
    assert finished.next_head is None
    assert (await session_of(bench)).pending == 0
    assert (await bench.accept("fourth")).is_head


async def test_a_finish_leaves_a_head_alone_that_somebody_else_dispatched(bench):
    """Between the two looks of a finish, a sweeper may have moved the session on and published its head."""
    await bench.claimed("first")
    await bench.accept("second")
    await bench.other.execute(CANCEL.format("first"))
    session = await session_of(bench)
    head = await advance_session(bench.store._database, session.id)
    assert head.id == "second"
    assert await advance_session(bench.store._database, session.id) is None
    assert await bench.store.sends.find(head.id) == head


async def test_a_claim_that_waited_for_a_cancel_finds_nothing(bench, meanwhile):
    accepted = await bench.accept("first")
    claim = await meanwhile(
        bench.store.journal.claim(accepted.send, WorkerId("worker")), CANCEL.format("first"), COUNT.format(1)
    )
    assert claim is None
    session = await session_of(bench)
    assert (session.epoch, session.seq, session.finished) == (0, 0, 1)
    assert await bench.rows("SELECT 1 FROM powerloop.messages") == []


async def test_a_claim_that_waited_for_a_request_is_told_of_it(bench, meanwhile):
    claim = await bench.claimed("first")
    queued = await bench.store.journal.hand_over(claim.fence)
    again = await meanwhile(bench.store.journal.claim(queued, WorkerId("worker")), REQUEST.format("first"))
    assert again.send.cancel.reason == "late"


async def test_a_claim_keeps_the_request_that_was_written_while_it_read_an_earlier_one(bench, meanwhile):
    """The early cancel is in its snapshot; the row that it waited for has the request of another by now."""
    await bench.store.sends.cancel(SendId("first"), reason="early", actor="ada")
    accepted = await bench.accept("first")
    claim = await meanwhile(
        bench.store.journal.claim(accepted.send, WorkerId("worker")), REQUEST.format("first")
    )
    assert (claim.send.cancel.reason, claim.send.cancel.actor) == ("late", "")


WRITES = {
    "commit_model": lambda journal, fence: journal.commit_model(
        fence, ModelCommit(round=2, message=MESSAGE, calls=(), entries=())
    ),
    "commit_results": lambda journal, fence: journal.commit_results(
        fence, ResultsCommit(outcomes=(), message=MESSAGE)
    ),
    "suspend": lambda journal, fence: journal.suspend(fence, Suspension(interactions=(QUESTION,))),
}


@pytest.mark.parametrize("name", WRITES)
async def test_a_commit_that_waited_for_a_request_tells_of_it(bench, meanwhile, name):
    claim = await bench.claimed("first")
    commit = ModelCommit(round=1, message=MESSAGE, calls=(CALL,), entries=())
    await bench.store.journal.commit_model(claim.fence, commit)
    committed = await meanwhile(WRITES[name](bench.store.journal, claim.fence), REQUEST.format("first"))

    told = {"suspend": Suspended(waiting=False, cancel_requested=True)}
    assert committed == told.get(name, Committed(seq=3, cancel_requested=True))
    assert (await bench.store.sends.find(claim.send.id)).status is SendStatus.RUNNING
    assert await bench.rows("SELECT 1 FROM powerloop.interactions") == []
    assert await bench.rows("SELECT 1 FROM powerloop.tool_calls WHERE status <> 'pending'") == []


async def test_a_cancel_that_waited_for_a_claim_asks_the_one_who_has_it(bench, meanwhile):
    await bench.accept("first")
    cancelled = await meanwhile(
        bench.store.sends.cancel(SendId("first")),
        "UPDATE powerloop.sessions SET epoch = 1, seq = 1",
        "UPDATE powerloop.sends SET status = 'running', owner = 'w', epoch = 1, started_at = now(), "
        "input_seq = 1",
    )
    assert (cancelled.effect, cancelled.ready) == (CancelEffect.REQUESTED, None)
    assert cancelled.send.status is SendStatus.RUNNING


async def test_a_cancel_that_waited_for_a_finish_comes_too_late(bench, meanwhile):
    await bench.claimed("first")
    cancelled = await meanwhile(
        bench.store.sends.cancel(SendId("first")),
        "UPDATE powerloop.sends SET status = 'completed', stop_reason = 'end_turn', ended_at = now()",
        COUNT.format(1),
    )
    assert (cancelled.effect, cancelled.send.cancel) == (CancelEffect.ENDED, None)


async def test_a_cancel_that_waited_for_its_send_to_become_the_head_names_the_next(bench, meanwhile):
    await bench.claimed("first")
    await bench.accept("second")
    await bench.accept("third")
    cancelled = await meanwhile(
        bench.store.sends.cancel(SendId("second")),
        "UPDATE powerloop.sends SET status = 'completed', stop_reason = 'end_turn', ended_at = now() "
        "WHERE id = 'first'",
        "UPDATE powerloop.sends SET dispatched_at = now() WHERE id = 'second'",
        COUNT.format(1),
    )
    assert (cancelled.effect, cancelled.ready.id) == (CancelEffect.CANCELLED, "third")
    assert (await session_of(bench)).finished == 2


async def test_a_cancel_finds_the_send_that_was_accepted_before_it_could_remember_it(bench, blocked):
    await bench.other.execute("BEGIN")
    await bench.other.execute("INSERT INTO powerloop.early_cancels VALUES ('first', '', '', now())")
    cancelling = asyncio.create_task(bench.store.sends.cancel(SendId("first"), reason="enough"))
    await blocked(cancelling)
    await bench.accept("first")
    await bench.other.execute("ROLLBACK")
    cancelled = await cancelling

    assert (cancelled.effect, cancelled.send.cancel.reason) == (CancelEffect.CANCELLED, "enough")
    assert await bench.rows("SELECT 1 FROM powerloop.early_cancels") == []
