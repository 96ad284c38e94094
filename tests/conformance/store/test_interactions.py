"""`Interactions`: what is asked, and what an answer does to the call and the send that wait for it."""

import asyncio
from collections import Counter

import pytest

from powerloop.kernel.calls import CallStatus, Effect
from powerloop.kernel.errors import InteractionClosed, InteractionNotFound, InvalidInput
from powerloop.kernel.ids import InteractionId, SendId, SessionId
from powerloop.kernel.interactions import GIVEN_UP_NOTE, InteractionKind, InteractionStatus
from powerloop.kernel.sends import SendStatus

RUN, GIVE_UP = {"action": "run"}, {"action": "give_up"}
DONE = {"action": "done", "result": "it was sent"}


async def call_of(desk, claim, index=0):
    return (await desk.store.journal.load_calls(claim.send.id))[index]


async def test_a_question_is_found_with_what_it_is_about(desk):
    claim, (question,) = await desk.in_doubt("a")
    found = await desk.store.interactions.find(question)

    assert (found.id, found.kind, found.status) == (
        question,
        InteractionKind.IN_DOUBT,
        InteractionStatus.OPEN,
    )
    assert (found.session_id, found.send_id, found.call_id) == (claim.send.session_id, claim.send.id, "a")
    assert (found.tool, found.arguments, found.prompt) == ("look", {"at": "home"}, "Did a happen?")
    assert (found.answer, found.actor, found.closed_at) == (None, "", None)
    assert found.created_at is not None
    assert await desk.store.interactions.find(InteractionId("unknown")) is None


async def test_an_answer_that_it_took_effect_ends_the_call_and_wakes_the_send(desk):
    claim, (question,) = await desk.in_doubt("a")
    answered = await desk.store.interactions.answer(question, DONE, actor="ada")

    call = await call_of(desk, claim)
    assert (call.status, call.result) == (CallStatus.DONE, "it was sent")
    assert call.started_at is not None
    assert call.ended_at is not None
    asked = answered.interaction
    assert (asked.status, asked.answer, asked.actor) == (InteractionStatus.ANSWERED, DONE, "ada")
    assert asked.closed_at >= asked.created_at
    assert asked == await desk.store.interactions.find(question)
    send = answered.ready
    assert (send.id, send.status, send.owner) == (claim.send.id, SendStatus.QUEUED, None)
    assert send.dispatched_at > claim.send.dispatched_at
    assert send == await desk.send_of(claim)
    assert (await desk.claimed(send)).fence.epoch == 2


async def test_an_answer_to_run_it_lets_the_call_run(desk):
    claim, (question,) = await desk.in_doubt("a")
    answered = await desk.store.interactions.answer(question, RUN)
    call = await call_of(desk, claim)
    assert (call.status, call.result) == (CallStatus.PENDING, None)
    assert (call.started_at, call.ended_at) == (None, None)
    assert answered.ready.status is SendStatus.QUEUED


async def test_giving_up_tells_the_model_that_nobody_knows(desk):
    claim, (question,) = await desk.in_doubt("a")
    await desk.store.interactions.answer(question, GIVE_UP)
    call = await call_of(desk, claim)
    assert (call.status, call.result) == (CallStatus.FAILED, GIVEN_UP_NOTE)


async def test_the_last_answer_wakes_the_send(desk):
    claim, (first, second) = await desk.in_doubt("a", "b")
    answered = await desk.store.interactions.answer(second, DONE)
    assert answered.ready is None
    assert (await desk.send_of(claim)).status is SendStatus.WAITING
    assert (await call_of(desk, claim, 0)).status is CallStatus.IN_DOUBT

    answered = await desk.store.interactions.answer(first, RUN)
    assert answered.ready.id == claim.send.id


async def test_the_first_answer_wins(desk):
    claim, (question,) = await desk.in_doubt("a")
    await desk.store.interactions.answer(question, DONE)
    with pytest.raises(InteractionClosed, match="answered"):
        await desk.store.interactions.answer(question, RUN)
    assert (await call_of(desk, claim)).status is CallStatus.DONE


async def test_of_twenty_answers_at_once_one_wins_and_publishes(desk):
    claim, (question,) = await desk.in_doubt("a")
    answers = await asyncio.gather(
        *(
            desk.store.interactions.answer(question, {"action": "done", "result": str(number)})
            for number in range(20)
        ),
        return_exceptions=True,
    )
    assert Counter(type(one).__name__ for one in answers) == {"Answered": 1, "InteractionClosed": 19}
    (winner,) = [one for one in answers if not isinstance(one, BaseException)]
    assert winner.ready.id == claim.send.id
    assert (await call_of(desk, claim)).result == winner.interaction.answer["result"]


async def test_of_two_last_answers_at_once_one_wakes_the_send(desk):
    for _ in range(5):
        _, questions = await desk.in_doubt("a", "b")
        answered = await asyncio.gather(
            *(desk.store.interactions.answer(question, DONE) for question in questions)
        )
        assert len([one for one in answered if one.ready]) == 1


async def test_what_is_no_answer_changes_nothing(desk):
    claim, (question,) = await desk.in_doubt("a")
    for wrong in ({}, {"action": "maybe"}, {"action": "done"}, {"action": "run", "result": "x"}):
        with pytest.raises(InvalidInput):
            await desk.store.interactions.answer(question, wrong)
    assert (await desk.store.interactions.find(question)).status is InteractionStatus.OPEN
    assert (await desk.send_of(claim)).status is SendStatus.WAITING


async def test_an_unknown_question_is_said_to_be_so(desk):
    with pytest.raises(InteractionNotFound, match="unknown"):
        await desk.store.interactions.answer(InteractionId("unknown"), RUN)


async def test_a_send_that_waits_no_more_is_left_alone(desk):
    claim, (question,) = await desk.in_doubt("a")
    cancelled = await desk.store.sends.cancel(claim.send.id)
    answered = await desk.store.interactions.answer(question, DONE)
    assert answered.ready is None
    assert await desk.send_of(claim) == cancelled.send


async def test_the_end_of_a_send_withdraws_its_questions(desk):
    claim, (question,) = await desk.in_doubt("a")
    send = (await desk.store.sends.cancel(claim.send.id)).send
    again = await desk.claimed(send)
    await desk.store.journal.finish(again.fence, desk.completed())
    withdrawn = await desk.store.interactions.find(question)
    assert withdrawn.status is InteractionStatus.WITHDRAWN
    assert withdrawn.closed_at is not None
    with pytest.raises(InteractionClosed, match="withdrawn"):
        await desk.store.interactions.answer(question, DONE)


async def test_questions_are_listed_latest_first_and_by_what_is_asked_for(desk):
    first, (a,) = await desk.in_doubt("a")
    second, (b, c) = await desk.in_doubt("b", "c")
    listing = desk.store.interactions.list
    everything = [one.id for one in await listing()]
    assert everything[-1] == a
    assert set(everything) == {a, b, c}
    assert [one.id for one in await listing(limit=1)] == everything[:1]
    assert [one.id for one in await listing(before=everything[0])] == everything[1:]
    assert [one.id for one in await listing(before=InteractionId("unknown"))] == []
    assert [one.id for one in await listing(session_id=first.send.session_id)] == [a]
    assert {one.id for one in await listing(send_id=second.send.id)} == {b, c}
    assert list(await listing(session_id=SessionId("unknown"))) == []
    assert list(await listing(send_id=SendId("unknown"))) == []

    await desk.store.interactions.answer(a, DONE)
    assert {one.id for one in await listing()} == {b, c}
    assert [one.id for one in await listing(status=InteractionStatus.ANSWERED)] == [a]
    assert {one.id for one in await listing(status=None)} == {a, b, c}


async def test_hostile_text_in_an_answer_is_kept_as_far_as_databases_can(desk):
    claim, (question,) = await desk.in_doubt("a")
    answered = await desk.store.interactions.answer(
        question, {"action": "done", "result": "nul \x00 \ud800"}, actor="a\x00da"
    )
    call = await call_of(desk, claim)
    assert "\x00" not in call.result
    assert call.result == answered.interaction.answer["result"]
    assert "\x00" not in answered.interaction.actor


async def test_only_calls_that_wait_are_answered(desk):
    claim, (question,) = await desk.in_doubt("a", others=("b",))
    await desk.store.interactions.answer(question, DONE)
    other = await call_of(desk, claim, 1)
    assert (other.id, other.status, other.effect) == ("b", CallStatus.PENDING, Effect.ONCE)
