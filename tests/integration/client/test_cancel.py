"""Cancelling from the client, wherever the send is, in one process."""

import pytest

from powerloop import Agent, AsyncPowerLoop, InvalidInput, PowerLoop, SendStatus

DEMO = Agent(name="demo", model="scripted:demo")
OTHER = Agent(name="other", model="scripted:demo")


@pytest.fixture(params=["memory", "sqlite"])
async def loop(request, tmp_path):
    path = ":memory:" if request.param == "memory" else tmp_path / "app.db"
    async with AsyncPowerLoop.local(path, agents=[DEMO, OTHER]) as loop:
        yield loop


async def writing(loop, **options):
    """A send in the middle of its answer."""
    session = await loop.create_session("demo", **options)
    handle = await loop.send(session.id, "Tell me a story.")
    async for event in handle.events():
        if event.type == "text.delta":
            break
    return handle


async def test_a_running_send_is_cut_off_and_keeps_what_it_had_written(loop):
    handle = await writing(loop)
    cancellation = await handle.cancel("changed my mind", actor="ada")
    assert cancellation.effect == "requested"
    result = await handle.result(timeout=10)
    assert (result.status, result.ok) == (SendStatus.CANCELLED, False)
    assert (result.cancel.reason, result.cancel.actor) == ("changed my mind", "ada")
    told = "".join([event.body.text async for event in handle.events() if event.type == "text.delta"])
    assert result.text
    assert result.text == told
    after = await loop.send(handle.session_id, "My name is Ada.")
    assert (await after.result(timeout=10)).ok


async def test_a_send_that_has_not_started_is_cancelled_at_once_and_never_runs(loop):
    first = await writing(loop)
    second = await loop.send(first.session_id, "My name is Ada.")
    third = await loop.send(first.session_id, "My name is Grace.")
    [cancellation] = await loop.cancel(second.id)
    assert cancellation.effect == "cancelled"
    assert await second.status() is SendStatus.CANCELLED
    await first.cancel()
    assert (await third.result(timeout=20)).ok
    assert (await loop.get_send(second.id)).send.attempt == 0
    texts = [message.text for message in await loop.messages(first.session_id)]
    assert "My name is Ada." not in texts


async def test_all_sends_of_a_session_are_cancelled_and_none_starts_meanwhile(loop):
    head = await writing(loop, metadata={"customer": "42"})
    others = [await loop.send(head.session_id, f"{number}") for number in range(20)]
    elsewhere = await loop.send((await loop.create_session("other")).id, "Hello!")
    done = await loop.cancel(session_id=head.session_id, reason="closing")
    assert [one.send_id for one in done] == [handle.id for handle in (*reversed(others), head)]
    assert [one.effect for one in done] == ["cancelled"] * 20 + ["requested"]
    assert (await head.result(timeout=10)).status is SendStatus.CANCELLED
    assert {(await handle.refresh()).attempt for handle in others} == {0}
    assert (await elsewhere.result(timeout=10)).ok
    assert await loop.cancel(session_id=head.session_id) == []


async def test_sends_are_cancelled_by_their_agent_and_by_their_metadata(loop):
    session = await loop.create_session("other")
    slow = await loop.send(session.id, "Tell me a story.", metadata={"job": 1})
    mine = await loop.send(session.id, "Hello!", metadata={"job": 2})
    assert [one.send_id for one in await loop.cancel(agent="other", metadata={"job": 2})] == [mine.id]
    assert await loop.cancel(agent="demo") == []
    assert [one.send_id for one in await loop.cancel(metadata={"job": 1})] == [slow.id]
    assert (await slow.result(timeout=10)).status is SendStatus.CANCELLED


async def test_several_ids_are_cancelled_from_the_last_to_the_first_and_told_in_their_order(loop):
    head = await writing(loop)
    second = await loop.send(head.session_id, "two")
    done = await loop.cancel(head.id, second.id, head.id)
    assert [(one.send_id, one.effect) for one in done] == [(head.id, "requested"), (second.id, "cancelled")]
    assert (await head.result(timeout=10)).status is SendStatus.CANCELLED
    assert (await second.refresh()).attempt == 0


async def test_a_send_that_has_ended_stays_as_it_is(loop):
    session = await loop.create_session("demo")
    handle = await loop.send(session.id, "Hello!")
    await handle.result(timeout=10)
    assert (await handle.cancel()).effect == "ended"
    assert await handle.status() is SendStatus.COMPLETED


async def test_a_cancel_that_comes_before_its_send_is_remembered(loop):
    session = await loop.create_session("demo")
    [cancellation] = await loop.cancel("mine", reason="too late")
    assert (cancellation.effect, cancellation.send) == ("remembered", None)
    handle = await loop.send(session.id, "Hello!", id="mine")
    result = await handle.result(timeout=10)
    assert (handle.id, result.status, result.rounds) == ("mine", SendStatus.CANCELLED, 0)
    assert result.cancel.reason == "too late"


async def test_the_same_id_is_the_same_send(loop):
    session = await loop.create_session("demo")
    handles = [await loop.send(session.id, "Hello!", id="mine") for _ in range(3)]
    await handles[0].result(timeout=10)
    assert [send.id for send in await loop.list_sends(session_id=session.id)] == ["mine"]


async def test_a_cancel_of_nothing_or_of_two_things_is_refused(loop):
    for wrong in (loop.cancel(), loop.cancel("a", session_id="s"), loop.cancel(metadata={})):
        with pytest.raises(InvalidInput, match="by their ids, or of those that match"):
            await wrong


async def test_sends_are_listed_by_states_agent_and_metadata(loop):
    head = await writing(loop)
    await loop.send(head.session_id, "two", metadata={"n": 2})
    await loop.cancel(head.id)
    await head.result(timeout=10)

    async def positions(**criteria):
        return [send.position for send in await loop.list_sends(**criteria)]

    assert await positions(status=["cancelled", "failed"]) == [1]
    assert await positions(status="failed") == []
    assert await positions(metadata={"n": 2}, agent="demo") == [2]
    assert await positions(agent="other") == []
    with pytest.raises(InvalidInput, match="Did you mean 'running'"):
        await loop.list_sends(status=["runing"])


def test_the_blocking_face_cancels_too(tmp_path):
    with PowerLoop.local(tmp_path / "app.db", agents=[DEMO]) as loop:
        session = loop.create_session("demo")
        handle = loop.send(session.id, "Tell me a story.")
        next(event for event in handle.events() if event.type == "text.delta")
        assert handle.cancel("enough").effect == "requested"
        assert handle.result(timeout=10).cancel.reason == "enough"
        assert [one.effect for one in loop.cancel(handle.id)] == ["ended"]
