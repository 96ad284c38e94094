"""`Journal.claim`, and the leases that it looks at."""

from datetime import timedelta

import pytest

from powerloop.kernel.ids import SendId, WorkerId
from powerloop.kernel.messages import Role, TextBlock
from powerloop.kernel.sends import Fence, SendStatus

ALIVE, OTHER = WorkerId("worker-1"), WorkerId("worker-2")
LONG = timedelta(minutes=5)


@pytest.fixture(autouse=True)
def two_workers(desk):
    """Two workers that are alive."""
    desk.leases.renew(ALIVE, LONG)
    desk.leases.renew(OTHER, LONG)


async def test_a_claimed_send_runs_under_its_worker(desk):
    session = await desk.session(agent="support")
    accepted = await desk.accept(session, text="hello")
    claim = await desk.store.journal.claim(accepted.send, ALIVE)

    assert claim.send.status is SendStatus.RUNNING
    assert (claim.send.owner, claim.send.attempt, claim.send.epoch) == (ALIVE, 1, 1)
    assert (claim.send.strikes, claim.send.cancel) == (1, None)
    assert claim.send.dispatched_at == accepted.send.dispatched_at
    assert (claim.send.agent, claim.send.content) == ("support", accepted.send.content)
    assert claim.send.started_at is not None
    assert claim.fence == Fence(session_id=session.id, send_id=accepted.send.id, epoch=1)
    assert claim.seq == 1
    assert await desk.send_of(claim) == claim.send


async def test_the_first_claim_appends_the_input_to_the_log(desk):
    claim = await desk.running(text="hello")
    session = await desk.session_of(claim)
    (message,) = await desk.store.journal.load_window(session.id)

    assert (message.seq, message.role, message.content) == (1, Role.USER, (TextBlock(text="hello"),))
    assert (message.send_id, message.epoch, message.metadata) == (claim.send.id, 1, {})
    assert message.created_at.utcoffset() == timedelta(0)
    assert (session.seq, session.epoch) == (1, 1)


async def test_a_second_claim_of_a_running_send_is_refused(desk):
    claim = await desk.running()
    before = await desk.everything(claim)
    assert await desk.store.journal.claim(claim.send, OTHER) is None
    assert await desk.everything(claim) == before


async def test_only_the_head_is_claimed(desk):
    claim = await desk.running()
    waiting = (await desk.accept(await desk.session_of(claim))).send
    before = await desk.everything(claim)

    assert await desk.store.journal.claim(waiting, OTHER) is None
    assert await desk.everything(claim) == before
    assert await desk.store.sends.find(waiting.id) == waiting


async def test_the_head_is_the_first_send_that_has_not_ended(desk):
    session = await desk.session()
    first, second = [(await desk.accept(session)).send for _ in range(2)]
    journal = desk.store.journal
    assert (await journal.is_head(first), await journal.is_head(second)) == (True, False)
    claim = await journal.claim(first, ALIVE)
    assert (await journal.is_head(first), await journal.is_head(second)) == (True, False)
    await journal.finish(claim.fence, desk.completed())
    assert (await journal.is_head(first), await journal.is_head(second)) == (False, True)


async def test_a_send_is_claimed_once_it_is_the_head(desk):
    first = await desk.running()
    second = (await desk.accept(await desk.session_of(first), text="next")).send
    await desk.store.journal.finish(first.fence, desk.completed())
    claim = await desk.store.journal.claim(second, OTHER)

    assert (claim.fence.epoch, claim.send.attempt, claim.seq) == (2, 1, 3)
    window = await desk.store.journal.load_window(claim.fence.session_id)
    assert [(m.seq, m.text, m.epoch) for m in window] == [(1, "hello", 1), (2, "bye", 1), (3, "next", 2)]


async def test_a_final_send_is_not_claimed(desk):
    claim = await desk.running()
    await desk.store.journal.finish(claim.fence, desk.completed())
    before = await desk.everything(claim)
    assert await desk.store.journal.claim(claim.send, ALIVE) is None
    assert await desk.everything(claim) == before


async def test_an_unknown_send_is_not_claimed(desk):
    accepted = await desk.accept(await desk.session(), "known")
    other = await desk.accept(await desk.session(), "other")
    # An id and a session that do not belong together.
    stranger = desk.moved(accepted.send, other.send.session_id)
    assert await desk.store.journal.claim(stranger, ALIVE) is None
    assert await desk.store.journal.claim(desk.renamed(accepted.send, "unknown"), ALIVE) is None


async def test_a_dead_owners_send_is_taken_over(desk):
    claim = await desk.running(worker=ALIVE)
    await desk.asked(claim, "call")
    desk.leases.release(ALIVE)
    again = await desk.store.journal.claim(claim.send, OTHER)

    assert (again.send.owner, again.send.attempt, again.fence.epoch) == (OTHER, 2, 2)
    assert again.send.strikes == 1
    assert (again.send.rounds, again.send.started_at) == (1, claim.send.started_at)
    # The input is in the log once, and what was committed stays.
    assert again.seq == 2
    window = await desk.store.journal.load_window(claim.fence.session_id)
    assert [(m.role, m.epoch) for m in window] == [(Role.USER, 1), (Role.ASSISTANT, 1)]


async def test_a_worker_that_never_had_a_lease_is_dead(desk):
    accepted = await desk.accept(await desk.session())
    await desk.store.journal.claim(accepted.send, WorkerId("never-renewed"))
    claim = await desk.store.journal.claim(accepted.send, OTHER)
    assert (claim.send.owner, claim.send.attempt) == (OTHER, 2)


async def test_a_worker_claims_anew_what_it_owns(desk):
    claim = await desk.running(worker=ALIVE)
    again = await desk.store.journal.claim(claim.send, ALIVE)
    assert (again.send.owner, again.send.attempt, again.fence.epoch, again.seq) == (ALIVE, 2, 2, 1)
    # It was not struck down: the process lives, and its connection broke off.
    assert again.send.strikes == 1


async def test_each_claim_without_a_commit_is_a_strike(desk):
    claim = await desk.running(worker="dying-0")
    for number in range(1, 5):
        claim = await desk.taken_over(claim, f"dying-{number}")
    assert (claim.send.strikes, claim.send.attempt) == (5, 5)


async def test_a_waiting_send_is_not_claimed(desk):
    claim, _ = await desk.in_doubt("a")
    before = await desk.everything(claim)
    assert await desk.store.journal.claim(claim.send, OTHER) is None
    assert await desk.everything(claim) == before


async def test_a_lease_runs_out_by_the_databases_clock(desk, eventually):
    claim = await desk.running(worker=ALIVE)
    desk.leases.renew(ALIVE, timedelta(seconds=0.3))
    assert await desk.store.journal.claim(claim.send, OTHER) is None

    async def taken_over():
        return await desk.store.journal.claim(claim.send, OTHER)

    again = await eventually(taken_over, "the lease has run out")
    assert again.send.owner == OTHER


async def test_a_renewed_lease_goes_on(desk, eventually):
    claim = await desk.running(worker=ALIVE)
    marker = await desk.running(worker=OTHER)
    desk.leases.renew(ALIVE, timedelta(seconds=0.2))
    desk.leases.renew(OTHER, timedelta(seconds=0.2))
    desk.leases.renew(ALIVE, LONG)

    async def marker_ran_out():
        return await desk.store.journal.claim(marker.send, ALIVE)

    await eventually(marker_ran_out, "the other lease has run out")
    assert await desk.store.journal.claim(claim.send, OTHER) is None


async def test_releasing_twice_changes_nothing(desk):
    desk.leases.release(ALIVE)
    desk.leases.release(ALIVE)
    desk.leases.release(WorkerId("unknown"))
    desk.leases.renew(ALIVE, LONG)
    claim = await desk.running(worker=ALIVE)
    assert await desk.store.journal.claim(claim.send, OTHER) is None


async def test_the_window_of_a_long_log_is_in_order(desk):
    claim = await desk.running()
    for number in range(1, 13):
        await desk.asked(claim, f"call-{number}", number=number)
    window = await desk.store.journal.load_window(claim.fence.session_id)
    assert [message.seq for message in window] == list(range(1, 14))


async def test_an_unknown_send_has_no_calls(desk):
    assert list(await desk.store.journal.load_calls(SendId("unknown"))) == []
