"""Questions and approvals: what is asked of people, what they answer, and what comes of it if they do not."""

import asyncio
from datetime import timedelta

import pytest

from powerloop.kernel.calls import CallStatus
from powerloop.kernel.errors import InteractionClosed, InvalidInput
from powerloop.kernel.interactions import NO_ANSWER_NOTE, InteractionKind, InteractionStatus
from powerloop.kernel.sends import SendStatus
from powerloop.kernel.suspension import Suspension

INPUT, APPROVAL, IN_DOUBT = InteractionKind.INPUT, InteractionKind.APPROVAL, InteractionKind.IN_DOUBT
SIZE = {"type": "object", "properties": {"size": {"enum": ["S", "M"]}}, "required": ["size"]}
#: Over as soon as it has begun.
AT_ONCE = timedelta(0)


async def waits(desk, *questions, others=()):
    """The claim of a send whose calls ask these questions; calls named in `others` are pending."""
    claim = await desk.running()
    await desk.asked(claim, *(question.call_id for question in questions), *others)
    suspended = await desk.store.journal.suspend(claim.fence, Suspension(interactions=tuple(questions)))
    assert suspended.waiting
    return claim


async def call_of(desk, claim, index=0):
    return (await desk.store.journal.load_calls(claim.send.id))[index]


async def expired(desk, limit=10):
    return list(await desk.store.recovery.expire(limit))


class TestAsking:
    async def test_a_question_is_kept_as_it_was_asked(self, desk):
        question = desk.question(
            "a", prompt="Which size?", schema=SIZE, choices=("S", 2, None), within=desk.LONG, default={"x": 1}
        )
        claim = await waits(desk, question)
        found = await desk.store.interactions.find(question.id)
        assert (found.kind, found.status, found.prompt) == (INPUT, InteractionStatus.OPEN, "Which size?")
        assert (found.schema, found.choices, found.default) == (SIZE, ("S", 2, None), {"x": 1})
        assert found.expires_at - found.created_at >= desk.LONG - timedelta(seconds=1)
        assert list(await desk.store.interactions.list(send_id=claim.send.id)) == [found]
        assert (await call_of(desk, claim)).status is CallStatus.WAITING

    async def test_a_question_that_asks_for_nothing_special_takes_anything_for_ever(self, desk):
        question = desk.question("a")
        await waits(desk, question)
        found = await desk.store.interactions.find(question.id)
        assert (found.schema, found.choices, found.default, found.expires_at) == (None, (), None, None)

    async def test_questions_are_listed_by_what_they_ask(self, desk):
        input_, approval = desk.question("a"), desk.question("b", APPROVAL)
        await waits(desk, input_, approval)
        _, (doubt,) = await desk.in_doubt("c")
        listing = desk.store.interactions.list
        asked = {INPUT: input_.id, APPROVAL: approval.id, IN_DOUBT: doubt}
        for kind, name in asked.items():
            assert [one.id for one in await listing(kind=kind)] == [name]
        assert {one.id for one in await listing()} == set(asked.values())

        await desk.store.interactions.answer(input_.id, "x")
        assert list(await listing(kind=INPUT)) == []
        assert [one.id for one in await listing(kind=INPUT, status=None)] == [input_.id]
        assert list(await listing(kind=APPROVAL, status=InteractionStatus.ANSWERED)) == []


class TestAnswering:
    @pytest.mark.parametrize(
        ("answer", "text"),
        [
            ("as it is", "as it is"),
            ("", ""),
            ({"size": "Ä"}, '{"size": "Ä"}'),
            ([1, None], "[1, null]"),
            (7, "7"),
            (False, "false"),
            (None, "null"),
        ],
        ids=str,
    )
    async def test_any_json_is_an_answer_and_the_result_of_the_call(self, desk, answer, text):
        question = desk.question("a")
        claim = await waits(desk, question)
        answered = await desk.store.interactions.answer(question.id, answer, actor="ada")
        call = await call_of(desk, claim)
        assert (call.status, call.result, call.approved) == (CallStatus.DONE, text, False)
        asked = answered.interaction
        assert (asked.status, asked.answer, asked.actor) == (InteractionStatus.ANSWERED, answer, "ada")
        assert asked == await desk.store.interactions.find(question.id)
        assert answered.ready.id == claim.send.id

    async def test_a_second_answer_is_told_whose_was_the_first(self, desk):
        question = desk.question("a")
        claim = await waits(desk, question)
        first = (await desk.store.interactions.answer(question.id, "S", actor="ada")).interaction
        with pytest.raises(InteractionClosed, match="answered by 'ada' at 20") as refused:
            await desk.store.interactions.answer(question.id, "M", actor="bob")
        error = refused.value
        assert (error.status, error.actor, error.closed_at) == ("answered", "ada", first.closed_at)
        assert (await call_of(desk, claim)).result == "S"
        assert await desk.store.interactions.find(question.id) == first

    async def test_two_answers_at_once_wake_the_send_once(self, desk):
        for _ in range(5):
            questions = [desk.question("a"), desk.question("b", APPROVAL)]
            claim = await waits(desk, *questions)
            answered = await asyncio.gather(
                desk.store.interactions.answer(questions[0].id, "x"),
                desk.store.interactions.answer(questions[1].id, {"action": "approve"}),
            )
            assert [one.ready.id for one in answered if one.ready] == [claim.send.id]

    async def test_the_end_of_the_send_withdraws_what_is_open(self, desk):
        questions = [desk.question("a", within=AT_ONCE, default="x"), desk.question("b", APPROVAL)]
        claim = await waits(desk, *questions)
        again = await desk.claimed((await desk.store.sends.cancel(claim.send.id)).send)
        await desk.store.journal.finish(again.fence, desk.completed())
        for question in questions:
            assert (await desk.store.interactions.find(question.id)).status is InteractionStatus.WITHDRAWN
        assert await expired(desk) == []
        with pytest.raises(InteractionClosed, match="withdrawn at 20"):
            await desk.store.interactions.answer(questions[0].id, "y")


class TestApproving:
    async def test_an_approved_call_is_to_run_as_it_is(self, desk):
        question = desk.question("a", APPROVAL)
        claim = await waits(desk, question)
        answered = await desk.store.interactions.answer(question.id, {"action": "approve"})
        call = await call_of(desk, claim)
        assert (call.status, call.approved, call.arguments) == (CallStatus.PENDING, True, {"at": "home"})
        assert (call.result, call.started_at, call.ended_at) == (None, None, None)
        assert answered.ready.status is SendStatus.QUEUED

    async def test_an_edited_call_is_to_run_with_the_other_arguments(self, desk):
        question = desk.question("a", APPROVAL)
        claim = await waits(desk, question, others=("b",))
        edit = {"action": "edit", "arguments": {"z": [1], "at": {"work": None}}}
        answered = await desk.store.interactions.answer(question.id, edit, actor="ada")
        call, other = await call_of(desk, claim), await call_of(desk, claim, 1)
        assert (call.status, call.approved, call.arguments) == (CallStatus.PENDING, True, edit["arguments"])
        assert (other.approved, other.arguments) == (False, {"at": "home"})
        asked = answered.interaction
        assert (asked.arguments, asked.answer, asked.actor) == ({"at": "home"}, edit, "ada")

    async def test_a_denied_call_does_not_run_and_the_model_is_told_why(self, desk):
        question = desk.question("a", APPROVAL)
        claim = await waits(desk, question)
        await desk.store.interactions.answer(question.id, {"action": "deny", "reason": "Too much."})
        call = await call_of(desk, claim)
        assert (call.status, call.approved) == (CallStatus.FAILED, False)
        assert call.result.endswith("did not allow this call. The reason: Too much.")

    async def test_what_does_not_say_if_it_may_run_changes_nothing(self, desk):
        question = desk.question("a", APPROVAL)
        claim = await waits(desk, question)
        before = await desk.everything(claim)
        for wrong in (None, "approve", {"action": "edit"}, {"action": "approve", "arguments": {}}):
            with pytest.raises(InvalidInput):
                await desk.store.interactions.answer(question.id, wrong)
        assert await desk.everything(claim) == before


class TestExpiring:
    async def test_when_the_time_is_over_the_default_is_the_answer(self, desk):
        question = desk.question("a", within=AT_ONCE, default={"size": "M"})
        claim = await waits(desk, question)
        (send,) = await expired(desk)
        assert (send.id, send.status, send.owner) == (claim.send.id, SendStatus.QUEUED, None)
        assert send == await desk.send_of(claim)
        call = await call_of(desk, claim)
        assert (call.status, call.result) == (CallStatus.DONE, '{"size": "M"}')
        found = await desk.store.interactions.find(question.id)
        assert (found.status, found.answer, found.actor) == (InteractionStatus.EXPIRED, None, "")
        assert found.closed_at >= found.expires_at
        assert await expired(desk) == []
        with pytest.raises(InteractionClosed, match="expired at 20"):
            await desk.store.interactions.answer(question.id, "late")

    @pytest.mark.parametrize(
        ("kind", "default"),
        [(INPUT, None), (APPROVAL, None), (APPROVAL, "yes"), (IN_DOUBT, {"x": 1})],
        ids=str,
    )
    async def test_without_a_default_that_answers_the_call_fails(self, desk, kind, default):
        claim = await waits(desk, desk.question("a", kind, within=AT_ONCE, default=default))
        assert [send.id for send in await expired(desk)] == [claim.send.id]
        call = await call_of(desk, claim)
        assert (call.status, call.result, call.approved) == (CallStatus.FAILED, NO_ANSWER_NOTE, False)

    async def test_a_default_may_approve_with_other_arguments(self, desk):
        default = {"action": "edit", "arguments": {"at": "work"}}
        claim = await waits(desk, desk.question("a", APPROVAL, within=AT_ONCE, default=default))
        assert len(await expired(desk)) == 1
        call = await call_of(desk, claim)
        assert (call.status, call.approved, call.arguments) == (CallStatus.PENDING, True, {"at": "work"})

    async def test_what_has_time_left_or_no_end_waits_on(self, desk):
        claim = await waits(desk, desk.question("a", within=desk.LONG, default="x"), desk.question("b"))
        before = await desk.everything(claim)
        assert await expired(desk) == []
        assert await desk.everything(claim) == before

    async def test_a_send_with_another_question_waits_on(self, desk):
        open_ = desk.question("b")
        claim = await waits(desk, desk.question("a", within=AT_ONCE, default="x"), open_)
        assert await expired(desk) == []
        assert (await call_of(desk, claim)).status is CallStatus.DONE
        assert (await desk.send_of(claim)).status is SendStatus.WAITING
        assert (await desk.store.interactions.answer(open_.id, "y")).ready.id == claim.send.id

    async def test_as_many_questions_expire_as_are_asked_for_the_oldest_first(self, desk):
        claims = [await waits(desk, desk.question("a", within=AT_ONCE)) for _ in range(3)]
        found = [[send.id for send in await expired(desk, limit=2)] for _ in range(3)]
        assert [sorted(ids) for ids in found] == [
            sorted(claim.send.id for claim in claims[:2]),
            [claims[2].send.id],
            [],
        ]

    async def test_a_send_with_two_questions_is_woken_once(self, desk):
        questions = [desk.question(name, within=AT_ONCE) for name in ("a", "b")]
        claim = await waits(desk, *questions)
        assert [send.id for send in await expired(desk)] == [claim.send.id]

    async def test_each_expires_once_in_any_number_of_sweeps_at_once(self, desk):
        claims = [await waits(desk, desk.question("a", within=AT_ONCE)) for _ in range(10)]
        woken = []
        while len(woken) < len(claims):
            found = await asyncio.gather(*(desk.store.recovery.expire(4) for _ in range(5)))
            woken += [send.id for sends in found for send in sends]
        assert sorted(woken) == sorted(claim.send.id for claim in claims)
        assert await expired(desk) == []

    async def test_an_answer_after_the_time_and_before_the_sweep_wins(self, desk):
        question = desk.question("a", within=AT_ONCE, default="default")
        claim = await waits(desk, question)
        answered = await desk.store.interactions.answer(question.id, "late", actor="ada")
        assert answered.ready.id == claim.send.id
        assert await expired(desk) == []
        assert (await call_of(desk, claim)).result == "late"

    async def test_of_an_answer_and_a_sweep_at_once_one_wins_and_wakes_the_send(self, desk):
        for _ in range(10):
            question = desk.question("a", within=AT_ONCE, default="default")
            claim = await waits(desk, question)
            answered, swept = await asyncio.gather(
                desk.store.interactions.answer(question.id, "answer"), expired(desk), return_exceptions=True
            )
            # A sweep passes over a session that is locked: the answer's.
            found = await desk.store.interactions.find(question.id)
            if found.status is InteractionStatus.ANSWERED:
                assert (answered.ready.id, swept) == (claim.send.id, [])
                assert (await call_of(desk, claim)).result == "answer"
            else:
                assert isinstance(answered, InteractionClosed)
                assert [send.id for send in swept] == [claim.send.id]
                assert (await call_of(desk, claim)).result == "default"
