"""Values that databases refuse never break a write: they are cleaned, everywhere in the same way."""

from dataclasses import replace

import pytest

from powerloop.kernel.calls import CallStatus, Effect, NewToolCall, ToolOutcome
from powerloop.kernel.ids import CallId, SendId, SessionId, WorkerId
from powerloop.kernel.messages import ImageBlock, NewMessage, ReasoningBlock, Role, TextBlock, ToolCallBlock
from powerloop.kernel.ports.journal import Ending, ModelCommit, ResultsCommit
from powerloop.kernel.ports.store import AnnouncedAgent
from powerloop.kernel.sends import SendError, StopReason
from powerloop.kernel.suspension import Suspension

REPLACED = "\N{REPLACEMENT CHARACTER}"

#: What is written, and what is read.
TEXTS = [
    ("a\x00b", f"a{REPLACED}b"),
    ("a\ud800b", f"a{REPLACED}b"),
    ("a\udc00", f"a{REPLACED}"),
    ("\ud83d\ude00", "\N{GRINNING FACE}"),
    ("\\u0000 \\x00 %s %(x)s :x ? {}", "\\u0000 \\x00 %s %(x)s :x ? {}"),
    ("\x01\x1f\x7f\u2028\ufeff\uffff", "\x01\x1f\x7f\u2028\ufeff\uffff"),
    ("'; DROP TABLE sends; --", "'; DROP TABLE sends; --"),
]
TEXT_IDS = ["nul", "high surrogate", "low surrogate", "pair", "escapes", "controls", "quotes"]

NUMBERS = {
    "nan": float("nan"),
    "inf": [float("inf"), -float("inf")],
    "fine": 1.5,
    "big": 2**70,
    "small": 1e-300,
}
CLEAN_NUMBERS = {"nan": None, "inf": [None, None], "fine": 1.5, "big": 2**70, "small": 1e-300}

every_text = pytest.mark.parametrize(("dirty", "clean"), TEXTS, ids=TEXT_IDS)


@every_text
async def test_names_are_cleaned_where_they_are_written_and_looked_up(desk, dirty, clean):
    session = await desk.session(dirty, agent=dirty)
    assert (session.id, session.agent) == (clean, clean)
    assert await desk.store.sessions.find(SessionId(dirty)) == session

    accepted = await desk.accept(session, dirty, idempotency_key=dirty)
    again = await desk.accept(replace(session, id=SessionId(dirty)), "other", idempotency_key=dirty)
    assert (accepted.send.id, accepted.send.idempotency_key, again.send) == (clean, clean, accepted.send)
    assert await desk.store.sends.find(SendId(dirty)) == accepted.send
    assert await desk.store.sends.list(session_id=SessionId(dirty)) == [accepted.send]


@every_text
async def test_metadata_is_cleaned_keys_included(desk, dirty, clean):
    session = await desk.session()
    updated = await desk.store.sessions.update_metadata(session.id, {dirty: [{"deep": dirty}], **NUMBERS})
    assert updated.metadata == {clean: [{"deep": clean}], **CLEAN_NUMBERS}
    assert [s.id for s in await desk.store.sessions.list(metadata={dirty: [{"deep": dirty}]})] == [session.id]

    accepted = await desk.accept(session, metadata={dirty: dirty, **NUMBERS})
    assert accepted.send.metadata == {clean: clean, **CLEAN_NUMBERS}
    assert await desk.store.sends.find(accepted.send.id) == accepted.send


@every_text
async def test_everything_that_a_model_and_a_tool_say_is_cleaned(desk, dirty, clean):
    claim = await desk.running(text=dirty)
    call_id = CallId(f"call {dirty}")
    arguments = {dirty: [dirty], **NUMBERS}
    content = (
        ReasoningBlock(text=dirty, signature=dirty),
        TextBlock(text=dirty),
        ToolCallBlock(id=call_id, name=dirty, arguments=arguments, malformed=dirty),
    )
    call = NewToolCall(id=call_id, name=dirty, arguments=arguments, effect=Effect.ONCE, index=0)
    message = NewMessage(role=Role.ASSISTANT, content=content)
    entry = replace(desk.entry(failed=dirty), model=dirty, purpose=dirty)
    await desk.store.journal.commit_model(
        claim.fence, ModelCommit(round=1, message=message, calls=(call,), entries=(entry,))
    )
    await desk.store.journal.start_calls(claim.fence, [call_id])
    assert (await desk.store.journal.load_calls(claim.send.id))[0].status is CallStatus.RUNNING
    outcome = ToolOutcome(call_id=call_id, status=CallStatus.DONE, text=dirty, full_text=dirty)
    await desk.store.journal.commit_results(
        claim.fence, ResultsCommit(outcomes=(outcome,), message=desk.results(outcome))
    )

    first, said, told = await desk.store.journal.load_window(claim.fence.session_id)
    (journaled,) = await desk.store.journal.load_calls(claim.send.id)
    clean_arguments = {clean: [clean], **CLEAN_NUMBERS}
    assert first.text == clean
    assert said.content == (
        ReasoningBlock(text=clean, signature=clean),
        TextBlock(text=clean),
        ToolCallBlock(id=f"call {clean}", name=clean, arguments=clean_arguments, malformed=clean),
    )
    assert (journaled.id, journaled.name, journaled.arguments) == (f"call {clean}", clean, clean_arguments)
    assert (journaled.status, journaled.result, journaled.full_result) == (CallStatus.DONE, clean, clean)
    assert (told.content[0].call_id, told.content[0].text) == (f"call {clean}", clean)
    assert desk.ledger()[0][3:7] == (clean, clean, "failed", clean)


@every_text
async def test_endings_are_cleaned(desk, dirty, clean):
    claim = await desk.running()
    await desk.asked(claim, "a")
    outcome = ToolOutcome(call_id=CallId("a"), status=CallStatus.FAILED, text=dirty, full_text=dirty)
    error = SendError(code=dirty, message=dirty)
    ending = Ending.failed(error, rounds=1, outcomes=(outcome,), messages=(desk.says(dirty),))
    await desk.store.journal.finish(claim.fence, ending)
    send = await desk.send_of(claim)

    assert send.error == SendError(code=clean, message=clean)
    assert [call.result for call in await desk.store.journal.load_calls(send.id)] == [clean]
    assert (await desk.store.journal.load_window(send.session_id))[-1].text == clean

    second = await desk.claimed((await desk.accept(await desk.session_of(claim))).send)
    output = (TextBlock(text=dirty), ImageBlock(url=dirty))
    ending = Ending.completed(StopReason.END_TURN, rounds=0, output=output)
    await desk.store.journal.finish(second.fence, ending)
    assert (await desk.send_of(second)).output == (TextBlock(text=clean), ImageBlock(url=clean))


@every_text
async def test_a_cancel_is_cleaned(desk, dirty, clean):
    claim = await desk.running(send_id=f"send {dirty}")
    cancelled = await desk.store.sends.cancel(SendId(f"send {dirty}"), reason=dirty, actor=dirty)
    assert (cancelled.send.id, cancelled.send.cancel.reason) == (f"send {clean}", clean)
    said = replace(desk.says("x"), metadata={dirty: dirty, **NUMBERS})
    await desk.store.journal.finish(claim.fence, Ending.cancelled(rounds=0, messages=(said,)))
    last = (await desk.store.journal.load_window(claim.fence.session_id))[-1]
    assert last.metadata == {clean: clean, **CLEAN_NUMBERS}

    await desk.store.sends.cancel(SendId(f"early {dirty}"), reason=dirty, actor=dirty)
    early = await desk.running(send_id=f"early {dirty}")
    assert (early.send.cancel.reason, early.send.cancel.actor) == (clean, clean)


@every_text
async def test_a_question_is_cleaned(desk, dirty, clean):
    claim = await desk.running()
    await desk.asked(claim, f"call {dirty}", arguments={dirty: dirty})
    question = desk.question(
        f"call {dirty}", prompt=dirty, schema={dirty: dirty}, choices=(dirty,), default={dirty: dirty}
    )
    await desk.store.journal.suspend(claim.fence, Suspension(interactions=(question,)))
    (asked,) = await desk.store.interactions.list()
    assert (asked.call_id, asked.prompt, asked.arguments) == (f"call {clean}", clean, {clean: clean})
    assert (asked.schema, asked.choices, asked.default) == ({clean: clean}, (clean,), {clean: clean})


@every_text
async def test_announced_agents_are_cleaned(desk, dirty, clean):
    await desk.store.agents.announce([AnnouncedAgent(name=dirty, model=dirty)])
    assert await desk.store.agents.models() == {clean: clean}


async def test_a_text_of_megabytes_is_kept(desk):
    text = "\N{GRINNING FACE} 'quoted' \\ " * 200_000
    claim = await desk.running(text=text)
    await desk.store.journal.finish(claim.fence, desk.completed(text))
    window = await desk.store.journal.load_window(claim.fence.session_id)
    assert [message.text == text for message in window] == [True, True]
    assert (await desk.send_of(claim)).text == text


async def test_a_worker_may_have_any_name(desk):
    worker = WorkerId("host'; --:1:\N{GRINNING FACE}%s")
    claim = await desk.running(worker=worker)
    assert claim.send.owner == worker
    assert (await desk.taken_over(claim)).send.owner == "worker-2"
