"""`Sends.accept` and `Sends.find`."""

from dataclasses import replace
from datetime import timedelta

import pytest

from powerloop.kernel.errors import InvalidInput, SessionBusy, SessionClosed, SessionNotFound
from powerloop.kernel.ids import SendId, SessionId
from powerloop.kernel.messages import ImageBlock, TextBlock
from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import SendStatus
from powerloop.kernel.usage import Usage


async def test_an_accepted_send_is_queued_at_the_tail(desk):
    session = await desk.session(agent="support")
    first = await desk.accept(session, "one", priority=7, metadata={"a": [1]}, idempotency_key="k")
    second = await desk.accept(session, "two")
    send = first.send

    assert (first.created, first.is_head, second.created, second.is_head) == (True, True, True, False)
    assert (send.id, send.session_id, send.agent, send.position) == ("one", session.id, "support", 1)
    assert (send.status, send.policy, send.priority) == (SendStatus.QUEUED, Policy.ENQUEUE, 7)
    assert (send.content, send.metadata) == ((TextBlock(text="hello"),), {"a": [1]})
    assert (send.idempotency_key, second.send.idempotency_key) == ("k", None)
    assert (send.attempt, send.epoch, send.owner, send.rounds) == (0, 0, None, 0)
    assert (send.usage, send.output, send.stop_reason, send.error) == (Usage(), (), None, None)
    assert (send.started_at, send.ended_at) == (None, None)
    assert send.created_at.utcoffset() == timedelta(0)
    assert second.send.position == 2


async def test_an_accepted_send_is_found_as_it_was_returned(desk):
    accepted = await desk.accept(await desk.session())
    assert await desk.store.sends.find(accepted.send.id) == accepted.send
    assert await desk.store.journal.find_send(accepted.send.id) == accepted.send
    assert await desk.store.sends.find(SendId("unknown")) is None


async def test_accepting_counts_on_the_session_and_writes_no_message(desk):
    session = await desk.session()
    await desk.accept(session)
    await desk.accept(session)
    counted = await desk.store.sessions.find(session.id)

    assert (counted.accepted, counted.finished, counted.pending) == (2, 0, 2)
    assert (counted.seq, counted.epoch) == (0, 0)
    assert counted.updated_at >= session.updated_at
    assert list(await desk.store.sessions.messages(session.id)) == []


async def test_blocks_come_back_as_they_were_given(desk):
    content = (
        TextBlock(text='a "quoted"\n\\ text \N{GRINNING FACE}'),
        ImageBlock(data="aGk=", media_type="image/gif"),
        ImageBlock(url="https://example.org/a.png"),
    )
    new = replace(desk.new_send(await desk.session()), content=content)
    assert (await desk.store.sends.accept(new)).send.content == content
    assert (await desk.store.sends.find(new.id)).content == content


async def test_the_same_key_gives_the_same_send(desk):
    session = await desk.session()
    first = await desk.accept(session, "one", "first", idempotency_key="key")
    again = await desk.accept(session, "two", "something else", idempotency_key="key")

    assert (again.send, again.created, again.is_head) == (first.send, False, False)
    assert await desk.store.sends.find(SendId("two")) is None
    assert (await desk.store.sessions.find(session.id)).accepted == 1


async def test_a_key_belongs_to_its_session(desk):
    one = await desk.accept(await desk.session(), idempotency_key="key")
    other = await desk.accept(await desk.session(), idempotency_key="key")
    assert other.created
    assert other.send.id != one.send.id


async def test_the_same_id_with_the_same_content_gives_the_same_send(desk):
    session = await desk.session()
    first = await desk.accept(session, "one")
    again = await desk.accept(session, "one")

    assert (again.send, again.created, again.is_head) == (first.send, False, False)
    assert (await desk.store.sessions.find(session.id)).accepted == 1


async def test_a_repeated_send_is_returned_as_it_stands_by_now(desk):
    claim = await desk.running(idempotency_key="key")
    await desk.store.journal.finish(claim.fence, desk.completed())
    session = await desk.session_of(claim)

    by_key = await desk.accept(session, idempotency_key="key")
    by_id = await desk.accept(session, claim.send.id)
    assert by_key.send == by_id.send == await desk.send_of(claim)
    assert by_key.send.status is SendStatus.COMPLETED


async def test_the_same_id_with_other_content_is_refused(desk):
    session = await desk.session()
    await desk.accept(session, "one", "first")
    with pytest.raises(InvalidInput, match="belongs to another send"):
        await desk.accept(session, "one", "second")
    assert (await desk.store.sessions.find(session.id)).accepted == 1


async def test_the_id_of_another_sessions_send_is_refused(desk):
    await desk.accept(await desk.session(), "one")
    other = await desk.session()
    with pytest.raises(InvalidInput, match="belongs to another send"):
        await desk.accept(other, "one")
    assert (await desk.store.sessions.find(other.id)).accepted == 0


async def test_the_key_decides_before_the_id(desk):
    session = await desk.session()
    keyed = await desk.accept(session, "one", idempotency_key="key")
    await desk.accept(session, "two", "other")
    assert (await desk.accept(session, "two", idempotency_key="key")).send == keyed.send


async def test_an_unknown_session_takes_no_sends(desk):
    session = replace(await desk.session(), id=SessionId("unknown"))
    with pytest.raises(SessionNotFound) as refused:
        await desk.accept(session)
    assert refused.value.session_id == "unknown"


async def test_a_closed_session_takes_no_sends(desk):
    session = await desk.store.sessions.close((await desk.session()).id)
    with pytest.raises(SessionClosed):
        await desk.accept(session)
    assert await desk.store.sessions.find(session.id) == session


async def test_a_closed_session_still_knows_its_sends(desk):
    session = await desk.session()
    first = await desk.accept(session, idempotency_key="key")
    await desk.store.sessions.close(session.id)
    assert (await desk.accept(session, idempotency_key="key")).send == first.send


async def test_reject_is_refused_by_a_busy_session(desk):
    session = await desk.session()
    await desk.accept(session)
    with pytest.raises(SessionBusy):
        await desk.accept(session, policy=Policy.REJECT)
    assert (await desk.store.sessions.find(session.id)).accepted == 1


async def test_reject_is_accepted_by_an_idle_session(desk):
    claim = await desk.running()
    await desk.store.journal.finish(claim.fence, desk.completed())
    accepted = await desk.accept(await desk.session_of(claim), policy=Policy.REJECT)
    assert (accepted.created, accepted.is_head, accepted.send.position) == (True, True, 2)
    assert accepted.send.policy is Policy.REJECT


async def test_a_repeated_send_is_not_rejected_for_its_own_sake(desk):
    session = await desk.session()
    first = await desk.accept(session, idempotency_key="key", policy=Policy.REJECT)
    again = await desk.accept(session, idempotency_key="key", policy=Policy.REJECT)
    assert (again.send, again.created) == (first.send, False)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": ""}, "a send's id has 1 to 200"),
        ({"id": "x" * 201}, "a send's id has 1 to 200"),
        ({"idempotency_key": ""}, "an idempotency key has 1 to 200"),
        ({"idempotency_key": "x" * 201}, "an idempotency key has 1 to 200"),
        ({"priority": -1}, "a priority is 0 to 9"),
        ({"priority": 10}, "a priority is 0 to 9"),
        ({"metadata": {"at": object()}}, "not JSON"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_values_out_of_bounds_are_refused(desk, changes, words):
    session = await desk.session()
    with pytest.raises(InvalidInput, match=words):
        await desk.store.sends.accept(replace(desk.new_send(session), **changes))
    assert await desk.store.sessions.find(session.id) == session
