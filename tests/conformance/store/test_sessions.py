"""`Sessions`: one at a time."""

from datetime import UTC, datetime, timedelta

import pytest

from powerloop.kernel.errors import InvalidInput, SessionBusy, SessionExists, SessionNotFound
from powerloop.kernel.ids import Seq, SessionId
from powerloop.kernel.policies import Policy
from powerloop.kernel.ports.store import AnnouncedAgent
from powerloop.kernel.sessions import NewSession, SessionStatus

NOBODY = SessionId("nobody")


async def test_a_new_session_is_open_and_empty(desk):
    session = await desk.session("first", agent="support", customer="42")

    assert (session.id, session.agent, session.status) == ("first", "support", SessionStatus.OPEN)
    assert session.metadata == {"customer": "42"}
    assert (session.epoch, session.seq, session.accepted, session.finished, session.pending) == (
        0,
        0,
        0,
        0,
        0,
    )
    assert timedelta(0) <= session.updated_at - session.created_at < timedelta(seconds=1)
    assert session.created_at.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - session.created_at) < timedelta(minutes=1)
    assert await desk.store.sessions.find(session.id) == session


async def test_an_id_is_given_once(desk):
    session = await desk.session("taken", agent="support")
    with pytest.raises(SessionExists) as refused:
        await desk.session("taken", agent="other")

    assert refused.value.session_id == "taken"
    assert await desk.store.sessions.find(session.id) == session


async def test_ensuring_makes_a_session_once(desk):
    new = NewSession(id=SessionId("wanted"), agent="support", metadata={"a": 1})
    made = await desk.store.sessions.ensure(new)
    again = await desk.store.sessions.ensure(NewSession(id=made.id, agent="other", metadata={"b": 2}))

    assert (made.agent, made.metadata) == ("support", {"a": 1})
    assert again == made


async def test_an_unknown_session_is_none(desk):
    assert await desk.store.sessions.find(NOBODY) is None
    assert await desk.store.sessions.messages(NOBODY) == []
    assert list(await desk.store.journal.load_window(NOBODY)) == []


@pytest.mark.parametrize("edge", ["update_metadata", "close", "delete"])
async def test_what_changes_an_unknown_session_says_so(desk, edge):
    arguments = ({},) if edge == "update_metadata" else ()
    with pytest.raises(SessionNotFound) as refused:
        await getattr(desk.store.sessions, edge)(NOBODY, *arguments)
    assert refused.value.session_id == NOBODY


async def test_metadata_is_replaced_as_a_whole(desk):
    session = await desk.session(a=1, b={"c": [1, 2.5, None, True]})
    updated = await desk.store.sessions.update_metadata(session.id, {"b": {"d": "e"}})

    assert updated.metadata == {"b": {"d": "e"}}
    assert updated.updated_at >= session.updated_at
    assert await desk.store.sessions.find(session.id) == updated


async def test_closing_is_for_good_and_closing_again_changes_nothing(desk):
    session = await desk.session()
    closed = await desk.store.sessions.close(session.id)

    assert closed.status is SessionStatus.CLOSED
    assert await desk.store.sessions.close(session.id) == closed
    assert await desk.store.sessions.find(session.id) == closed


async def test_a_deleted_session_leaves_nothing(desk):
    claim = await desk.running(idempotency_key="once")
    await desk.asked(claim, "a", entries=(desk.entry(),))
    await desk.store.journal.finish(claim.fence, desk.completed())
    await desk.store.sessions.delete(claim.fence.session_id)

    assert await desk.store.sessions.find(claim.fence.session_id) is None
    assert await desk.store.sends.find(claim.send.id) is None
    assert list(await desk.store.journal.load_window(claim.fence.session_id)) == []
    assert list(await desk.store.journal.load_calls(claim.send.id)) == []
    assert desk.ledger() == []
    assert await desk.store.sends.list() == []


async def test_a_deleted_session_takes_its_questions_along(desk):
    claim, (question,) = await desk.in_doubt("a")
    again = await desk.claimed((await desk.store.sends.cancel(claim.send.id)).send)
    await desk.store.journal.finish(again.fence, desk.completed())
    assert await desk.store.interactions.find(question)
    await desk.store.sessions.delete(claim.fence.session_id)
    assert await desk.store.interactions.find(question) is None
    assert list(await desk.store.interactions.list(status=None)) == []


async def test_the_ids_and_keys_of_a_deleted_session_are_free_again(desk):
    session = await desk.session("again")
    claim = await desk.claimed((await desk.accept(session, "send", idempotency_key="key")).send)
    await desk.store.journal.finish(claim.fence, desk.completed())
    await desk.store.sessions.delete(session.id)

    accepted = await desk.accept(await desk.session("again"), "send", idempotency_key="key")
    assert (accepted.created, accepted.is_head, accepted.send.position) == (True, True, 1)


async def test_a_session_with_sends_that_have_not_ended_is_not_deleted(desk):
    claim = await desk.running()
    before = await desk.everything(claim)
    with pytest.raises(SessionBusy):
        await desk.store.sessions.delete(claim.fence.session_id)
    assert await desk.everything(claim) == before


async def test_the_log_is_read_in_pages(desk):
    claim = await desk.running()
    for number in (1, 2, 3):
        await desk.asked(claim, f"call-{number}", number=number)
    session_id = claim.fence.session_id
    whole = await desk.store.sessions.messages(session_id)

    assert [message.seq for message in whole] == [1, 2, 3, 4]
    assert list(whole) == list(await desk.store.journal.load_window(session_id))
    assert await desk.store.sessions.messages(session_id, limit=2) == whole[:2]
    assert await desk.store.sessions.messages(session_id, after=Seq(2), limit=1) == whole[2:3]
    assert await desk.store.sessions.messages(session_id, after=Seq(4)) == []
    assert await desk.store.sessions.messages(session_id, limit=0) == []


@pytest.mark.parametrize(
    ("session_id", "agent"),
    [("", "support"), ("x" * 201, "support"), ("fine", ""), ("fine", "x" * 101)],
    ids=["no id", "long id", "no agent", "long agent"],
)
async def test_names_that_are_too_short_or_too_long_are_refused(desk, session_id, agent):
    with pytest.raises(InvalidInput, match="has 1 to"):
        await desk.store.sessions.create(NewSession(id=SessionId(session_id), agent=agent))


async def test_the_longest_names_are_kept(desk):
    session = await desk.session("\N{FAMILY}" * 200, agent="é" * 100)
    assert await desk.store.sessions.find(session.id) == session


async def test_metadata_that_is_not_json_is_refused(desk):
    with pytest.raises(InvalidInput):
        await desk.session(at=object())


async def test_agents_are_announced_by_name_model_and_policy(desk):
    def support(model, policy=Policy.ENQUEUE):
        return AnnouncedAgent(name="support", model=model, policy=policy)

    directory = desk.store.agents
    assert await directory.names() == frozenset()
    assert await directory.policy_of("support") is None
    await directory.announce([])
    await directory.announce([support("openai:gpt-4o"), AnnouncedAgent(name="sales", model="scripted:demo")])
    await directory.announce([support("openai:gpt-5"), support("openai:gpt-6", Policy.STEER)])

    assert await directory.names() == {"support", "sales"}
    assert await directory.models() == {"support": "openai:gpt-6", "sales": "scripted:demo"}
    assert await directory.policy_of("support") is Policy.STEER
    assert await directory.policy_of("sales") is Policy.ENQUEUE


async def test_closing_the_store_twice_changes_nothing(desk):
    session = await desk.session()
    await desk.store.close()
    await desk.store.close()
    await desk.store.open()
    assert await desk.store.sessions.find(session.id) == session
