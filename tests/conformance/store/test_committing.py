"""`Journal.commit_model`, `start_calls`, `commit_results` and `load_calls`."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from powerloop.kernel.calls import CallStatus, Effect, ToolOutcome
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.ids import CallId
from powerloop.kernel.jsontypes import in_key_order
from powerloop.kernel.messages import Role
from powerloop.kernel.ports.journal import Committed, ResultsCommit
from powerloop.kernel.usage import Usage


async def calls_of(desk, claim):
    return {call.id: call for call in await desk.store.journal.load_calls(claim.send.id)}


async def test_a_models_message_is_appended_with_its_calls(desk):
    claim = await desk.running()
    commit = desk.asks("a", "b", effect=Effect.KEYED, arguments={"z": 1, "a": [2, {"y": None, "b": 3}]})
    assert (await desk.store.journal.commit_model(claim.fence, commit)).seq == 2

    message = (await desk.store.journal.load_window(claim.fence.session_id))[-1]
    assert (message.seq, message.role, message.content) == (2, Role.ASSISTANT, commit.message.content)
    assert (message.send_id, message.epoch) == (claim.send.id, claim.fence.epoch)
    assert (await desk.session_of(claim)).seq == 2

    calls = await desk.store.journal.load_calls(claim.send.id)
    assert [(call.id, call.index, call.round) for call in calls] == [("a", 0, 1), ("b", 1, 1)]
    call = calls[0]
    assert (call.send_id, call.name, call.effect) == (claim.send.id, "look", Effect.KEYED)
    assert (call.status, call.arguments) == (CallStatus.PENDING, commit.calls[0].arguments)
    assert (call.result, call.full_result, call.started_at, call.ended_at) == (None, None, None, None)
    assert call.idempotency_key == f"{claim.send.id}:a"


async def test_arguments_in_key_order_keep_it(desk):
    """A prompt whose text changes when it is read back misses the provider's cache."""
    claim = await desk.running()
    written = in_key_order({"zebra": 1, "ant": {"bb": 1, "ä": 2, "a": [{"dd": 0, "c": 0}]}, "m": 3})
    await desk.asked(claim, "a", arguments=written)
    (call,) = await desk.store.journal.load_calls(claim.send.id)
    block = (await desk.store.journal.load_window(claim.fence.session_id))[-1].content[-1]

    for arguments in (call.arguments, block.arguments):
        assert json.dumps(arguments) == json.dumps(written)


async def test_a_commit_counts_rounds_and_sums_usage(desk):
    claim = await desk.running()
    entries = (desk.entry(failed="model.rate_limited", tokens=1), desk.entry(tokens=100))
    await desk.asked(claim, "a", entries=entries)
    await desk.asked(claim, "b", number=2, entries=(desk.entry(tokens=1000),))
    send = await desk.send_of(claim)

    assert send.rounds == 2
    assert send.usage == Usage(
        input_tokens=1101,
        output_tokens=1104,
        cached_tokens=1107,
        cache_write_tokens=1110,
        reasoning_tokens=1113,
    )
    assert desk.ledger() == [
        (send.id, 1, 1, "scripted:demo", "round", "failed", "model.rate_limited", 1, 2, 1500, False),
        (send.id, 1, 1, "scripted:demo", "round", "ok", None, 100, 101, 1500, False),
        (send.id, 2, 1, "scripted:demo", "round", "ok", None, 1000, 1001, 1500, False),
    ]


async def test_the_ledger_tells_the_attempt(desk):
    claim = await desk.taken_over(await desk.running())
    await desk.asked(claim, "a", entries=(desk.entry(),))
    assert [row[:3] for row in desk.ledger()] == [(claim.send.id, 1, 2)]


async def test_the_calls_of_the_last_round_are_loaded(desk):
    claim = await desk.running()
    assert list(await desk.store.journal.load_calls(claim.send.id)) == []
    await desk.asked(claim, "a", "b")
    await desk.asked(claim, "c", number=2)
    # A round may have no calls of its own; then the last one that has any counts.
    await desk.asked(claim, number=3)
    assert [(c.id, c.round) for c in await desk.store.journal.load_calls(claim.send.id)] == [("c", 2)]


async def test_calls_are_loaded_in_the_models_order(desk):
    claim = await desk.running()
    await desk.asked(claim, "z", "m", "a")
    assert [call.id for call in await desk.store.journal.load_calls(claim.send.id)] == ["z", "m", "a"]


async def test_the_ledger_tells_what_is_estimated(desk):
    claim = await desk.running()
    await desk.asked(claim, "a", entries=(replace(desk.entry(), estimated=True), desk.entry()))
    assert [row[-1] for row in desk.ledger()] == [True, False]


async def test_the_metadata_of_messages_is_kept(desk):
    claim = await desk.running()
    commit = desk.asks("a")
    said = replace(commit.message, metadata={"finish": "cut", "deep": [{"b": None}]})
    await desk.store.journal.commit_model(claim.fence, replace(commit, message=said))
    told = replace(desk.results(desk.done("a")), metadata={"n": 1})
    await desk.store.journal.commit_results(
        claim.fence, ResultsCommit(outcomes=(desk.done("a"),), message=told)
    )
    ending = desk.completed()
    last = replace(ending.messages[0], metadata={"finish": "cancelled"})
    await desk.store.journal.finish(claim.fence, replace(ending, messages=(last,)))

    window = await desk.store.journal.load_window(claim.fence.session_id)
    assert [message.metadata for message in window] == [{}, said.metadata, {"n": 1}, last.metadata]


async def test_a_commit_takes_the_strikes_back(desk):
    claim = await desk.taken_over(await desk.running())
    assert claim.send.strikes == 2
    await desk.asked(claim, "a")
    assert (await desk.send_of(claim)).strikes == 0

    again = await desk.taken_over(claim, "worker-3")
    assert (again.send.strikes, again.send.attempt) == (1, 3)
    await desk.store.journal.commit_results(
        again.fence, ResultsCommit(outcomes=(desk.done("a"),), message=None)
    )
    assert (await desk.send_of(again)).strikes == 0


async def test_every_commit_tells_whether_the_end_was_asked_for(desk):
    claim = await desk.running()
    journal, outcome = desk.store.journal, desk.done("a")
    results = ResultsCommit(outcomes=(outcome,), message=desk.results(outcome))
    assert not (await journal.commit_model(claim.fence, desk.asks("a"))).cancel_requested
    assert not (await journal.commit_results(claim.fence, results)).cancel_requested
    await desk.store.sends.cancel(claim.send.id)
    assert await journal.commit_model(claim.fence, desk.asks("b", number=2)) == Committed(
        seq=4, cancel_requested=True
    )
    results = ResultsCommit(outcomes=(desk.done("b"),), message=None)
    assert await journal.commit_results(claim.fence, results) == Committed(seq=4, cancel_requested=True)


@pytest.mark.parametrize(
    ("call_ids", "number"),
    [(["b", "b"], 2), (["a"], 2), (["b"], 1)],
    ids=["twice in a message", "in another round", "at the same place"],
)
async def test_the_ids_and_places_of_a_sends_calls_differ(desk, call_ids, number):
    claim = await desk.running()
    await desk.asked(claim, "a")
    before = await desk.everything(claim)
    with pytest.raises(InvalidInput, match="must differ"):
        await desk.asked(claim, *call_ids, number=number)
    assert await desk.everything(claim) == before


async def test_an_id_may_be_as_long_as_a_proof(desk):
    """Some gateways put the model's signed thoughts into the ids of its calls."""
    claim = await desk.running()
    name = "call_" + "".join(chr(65 + (number * number) % 57) for number in range(20_000))
    await desk.asked(claim, name)
    await desk.store.journal.start_calls(claim.fence, [CallId(name)])
    await desk.store.journal.commit_results(
        claim.fence, ResultsCommit(outcomes=(desk.done(name),), message=None)
    )
    assert (await calls_of(desk, claim))[name].status is CallStatus.DONE


async def test_starting_marks_the_named_calls(desk):
    claim = await desk.running()
    await desk.asked(claim, "a", "b", "c", effect=Effect.ONCE)
    await desk.store.journal.start_calls(claim.fence, [CallId("a"), CallId("c"), CallId("unknown")])
    calls = await calls_of(desk, claim)

    assert [calls[name].status for name in "abc"] == [
        CallStatus.RUNNING,
        CallStatus.PENDING,
        CallStatus.RUNNING,
    ]
    assert calls["a"].started_at.utcoffset() == timedelta(0)
    assert calls["b"].started_at is None


async def test_starting_no_calls_changes_nothing(desk):
    claim = await desk.running()
    await desk.asked(claim, "a")
    before = await desk.everything(claim)
    await desk.store.journal.start_calls(claim.fence, [])
    assert await desk.everything(claim) == before


async def test_only_a_pending_call_is_started(desk):
    claim = await desk.running()
    await desk.asked(claim, "a", "b", effect=Effect.ONCE)
    await desk.store.journal.start_calls(claim.fence, [CallId("a")])
    await desk.store.journal.commit_results(
        claim.fence, ResultsCommit(outcomes=(desk.done("b"),), message=None)
    )
    before = await calls_of(desk, claim)
    await desk.store.journal.start_calls(claim.fence, [CallId("a"), CallId("b")])
    assert await calls_of(desk, claim) == before


async def test_outcomes_are_written(desk):
    claim = await desk.running()
    await desk.asked(claim, "a", "b", "c", "d")
    outcomes = (
        desk.done("a", ""),
        ToolOutcome(call_id=CallId("b"), status=CallStatus.FAILED, text="cut", full_text="cut off here"),
        ToolOutcome(call_id=CallId("c"), status=CallStatus.CANCELLED, text="stopped"),
    )
    committed = await desk.store.journal.commit_results(
        claim.fence, ResultsCommit(outcomes=outcomes, message=None)
    )
    calls = await calls_of(desk, claim)

    assert committed.seq == 2
    assert [(c.status, c.result, c.full_result) for c in calls.values()] == [
        (CallStatus.DONE, "", None),
        (CallStatus.FAILED, "cut", "cut off here"),
        (CallStatus.CANCELLED, "stopped", None),
        (CallStatus.PENDING, None, None),
    ]
    assert calls["a"].ended_at.utcoffset() == timedelta(0)
    assert calls["d"].ended_at is None
    assert len(await desk.store.journal.load_window(claim.fence.session_id)) == 2


async def test_the_last_results_come_with_their_message(desk):
    claim = await desk.running()
    await desk.asked(claim, "a")
    outcome = desk.done("a")
    message = desk.results(outcome)
    committed = await desk.store.journal.commit_results(
        claim.fence, ResultsCommit(outcomes=(outcome,), message=message)
    )

    logged = (await desk.store.journal.load_window(claim.fence.session_id))[-1]
    assert (committed.seq, logged.seq, logged.role, logged.content) == (3, 3, Role.TOOL, message.content)
    assert (await desk.session_of(claim)).seq == 3


async def test_a_result_is_never_written_twice(desk):
    claim = await desk.running()
    await desk.asked(claim, "a")
    for text in ("first", "second"):
        await desk.store.journal.commit_results(
            claim.fence, ResultsCommit(outcomes=(desk.done("a", text),), message=None)
        )
    assert (await calls_of(desk, claim))["a"].result == "first"


async def test_an_outcome_of_an_unknown_call_is_passed_over(desk):
    claim = await desk.running()
    await desk.asked(claim, "a")
    before = await calls_of(desk, claim)
    await desk.store.journal.commit_results(
        claim.fence, ResultsCommit(outcomes=(desk.done("unknown"),), message=None)
    )
    assert await calls_of(desk, claim) == before
