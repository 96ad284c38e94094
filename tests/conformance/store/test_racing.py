"""What holds when many call at once."""

import asyncio
from collections import Counter

from powerloop.kernel.errors import Fenced, SessionBusy
from powerloop.kernel.ids import SessionId, WorkerId
from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import SendStatus
from powerloop.kernel.sessions import NewSession


async def test_of_twenty_claims_one_wins_and_the_epoch_rises_by_one(desk):
    accepted = await desk.accept(await desk.session())
    for worker in range(20):
        desk.leases.renew(WorkerId(f"worker-{worker}"), desk.LONG)
    claims = await asyncio.gather(
        *(desk.store.journal.claim(accepted.send, WorkerId(f"worker-{worker}")) for worker in range(20))
    )
    winners = [claim for claim in claims if claim]

    assert len(winners) == 1
    session, send = await desk.session_of(winners[0]), await desk.send_of(winners[0])
    assert (session.epoch, session.seq) == (1, 1)
    assert (send.attempt, send.owner) == (1, winners[0].send.owner)


async def test_of_twenty_take_overs_one_wins(desk):
    claim = await desk.running("dead")
    desk.leases.release(WorkerId("dead"))
    for worker in range(20):
        desk.leases.renew(WorkerId(f"worker-{worker}"), desk.LONG)
    claims = await asyncio.gather(
        *(desk.store.journal.claim(claim.send, WorkerId(f"worker-{worker}")) for worker in range(20))
    )
    assert len([claim for claim in claims if claim]) == 1
    assert ((await desk.session_of(claim)).epoch, (await desk.send_of(claim)).attempt) == (2, 2)


async def test_of_fifty_accepts_to_an_idle_session_one_is_the_head(desk):
    session = await desk.session()
    accepted = await asyncio.gather(*(desk.accept(session) for _ in range(50)))

    assert sorted(one.send.position for one in accepted) == list(range(1, 51))
    assert [one.send.position for one in accepted if one.is_head] == [1]
    assert (await desk.store.sessions.find(session.id)).accepted == 50
    listed = await desk.store.sends.list(session_id=session.id)
    times = [send.created_at for send in listed]
    assert times == sorted(times, reverse=True)


async def test_of_twenty_accepts_under_one_key_one_is_written(desk):
    session = await desk.session()
    accepted = await asyncio.gather(*(desk.accept(session, idempotency_key="key") for _ in range(20)))

    assert len({one.send.id for one in accepted}) == 1
    assert Counter(one.created for one in accepted) == {True: 1, False: 19}
    assert Counter(one.is_head for one in accepted) == {True: 1, False: 19}
    assert (await desk.store.sessions.find(session.id)).accepted == 1
    # No place was lost to the losers.
    assert (await desk.accept(session)).send.position == 2


async def test_of_twenty_accepts_under_one_id_one_is_written(desk):
    session = await desk.session()
    accepted = await asyncio.gather(*(desk.accept(session, "same") for _ in range(20)))
    assert Counter(one.created for one in accepted) == {True: 1, False: 19}
    assert (await desk.store.sessions.find(session.id)).accepted == 1


async def test_of_twenty_rejecting_accepts_one_gets_in(desk):
    session = await desk.session()
    accepted = await asyncio.gather(
        *(desk.accept(session, policy=Policy.REJECT) for _ in range(20)), return_exceptions=True
    )
    assert len([one for one in accepted if not isinstance(one, BaseException)]) == 1
    assert {type(one) for one in accepted if isinstance(one, BaseException)} == {SessionBusy}


async def test_of_twenty_that_ensure_a_session_all_get_the_same(desk):
    ensured = await asyncio.gather(
        *(
            desk.store.sessions.ensure(NewSession(id=SessionId("wanted"), agent=f"agent-{number}"))
            for number in range(20)
        )
    )
    assert len(set(map(repr, ensured))) == 1


async def test_of_twenty_finishes_one_counts(desk):
    claim = await desk.running()
    await desk.accept(await desk.session_of(claim))
    await desk.accept(await desk.session_of(claim))
    finished = await asyncio.gather(
        *(desk.store.journal.finish(claim.fence, desk.completed()) for _ in range(20)), return_exceptions=True
    )
    assert Counter(type(one).__name__ for one in finished) == {"Finished": 1, "Fenced": 19}
    assert (await desk.session_of(claim)).finished == 1


async def test_of_a_commit_and_a_take_over_the_transcript_keeps_one_writer_at_a_time(desk):
    for _ in range(10):
        claim = await desk.running("dying")
        desk.leases.release(WorkerId("dying"))
        desk.leases.renew(WorkerId("heir"), desk.LONG)
        committed, heir = await asyncio.gather(
            desk.store.journal.commit_model(claim.fence, desk.asks("a")),
            desk.store.journal.claim(claim.send, WorkerId("heir")),
            return_exceptions=True,
        )
        window = await desk.store.journal.load_window(claim.fence.session_id)
        assert not isinstance(heir, BaseException)
        assert [message.epoch for message in window] == [1] * len(window)
        if isinstance(committed, Fenced):
            assert (heir.seq, len(window)) == (1, 1)
        else:
            assert (committed.seq, heir.seq, len(window)) == (2, 2, 2)


async def test_no_send_is_lost_between_accepts_and_finishes(desk):
    """Accepts and finishes, between them, name each send as the head once, in order."""
    session, producers = await desk.session(), 8
    heads: asyncio.Queue = asyncio.Queue()
    desk.leases.renew(WorkerId("worker"), desk.LONG)

    async def produce(number):
        for index in range(5):
            accepted = await desk.accept(session, f"send-{number}-{index}")
            if accepted.is_head:
                heads.put_nowait(accepted.send)

    async def consume():
        order = []
        while len(order) < 5 * producers:
            send = await asyncio.wait_for(heads.get(), timeout=30)
            claim = await desk.store.journal.claim(send, WorkerId("worker"))
            order.append(claim.send.position)
            finished = await desk.store.journal.finish(claim.fence, desk.completed())
            if finished.next_head:
                heads.put_nowait(finished.next_head)
        return order

    order, *_ = await asyncio.gather(consume(), *(produce(number) for number in range(producers)))
    assert order == list(range(1, 5 * producers + 1))
    assert heads.empty()
    ended = await desk.store.sends.list(session_id=session.id, status=SendStatus.COMPLETED)
    assert len(ended) == 5 * producers
