"""Cancelled calls of the real SDKs: the provider sees its connection close, and stops writing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest

from powerloop.kernel.messages import text_of
from powerloop.llm import ModelCatalog
from powerloop.testing.model_providers import IMPATIENT, WrittenDeltas, make_request
from powerloop.testing.wire import Reply, WireProcess, WireServer

SOON = timedelta(milliseconds=500)
HOUR = timedelta(hours=1)
STEADY = Reply(text="word " * 1000, pace=timedelta(milliseconds=5))
FLOOD = Reply(text="word " * 100_000)
SILENT = Reply(text="word " * 10, pace=HOUR)
LATE = Reply(text="Too late.", delay=HOUR)

by_name = pytest.mark.parametrize("name", ["openai:gpt-test", "anthropic:claude-test"])


@pytest.fixture
async def catalog(powerloop_wire: WireServer) -> AsyncIterator[ModelCatalog]:
    catalog = ModelCatalog(powerloop_wire.settings, retries=IMPATIENT)
    yield catalog
    await catalog.close()


async def cut_off(call: asyncio.Task) -> datetime:
    """Cancel the call; when."""
    at = datetime.now(UTC)
    call.cancel()
    await asyncio.wait([call], timeout=10)
    assert call.cancelled()
    return at


@by_name
@pytest.mark.parametrize("reply", [STEADY, FLOOD], ids=["steady", "flood"])
async def test_a_stream_that_is_cut_off_is_closed_at_once(
    powerloop_wire: WireServer, catalog: ModelCatalog, name: str, reply: Reply, eventually: Callable
):
    powerloop_wire.enqueue(reply)
    written = WrittenDeltas()
    call = asyncio.create_task(catalog.get(name).respond(make_request(name), written))
    await eventually(lambda: len(written.pieces) > 2, "the answer is under way")

    at = await cut_off(call)

    await eventually(lambda: powerloop_wire.cut == 1, "the server knows")
    (asked,) = powerloop_wire.requests
    assert asked.cut_at is not None
    assert asked.cut_at - at < SOON
    assert powerloop_wire.in_flight == 0


@by_name
@pytest.mark.parametrize(
    ("reply", "streamed"),
    [(SILENT, True), (LATE, True), (LATE, False)],
    ids=["silent stream", "late stream", "late answer"],
)
async def test_a_call_that_waits_for_the_provider_is_closed_at_once(
    powerloop_wire: WireServer,
    catalog: ModelCatalog,
    name: str,
    reply: Reply,
    streamed: bool,
    eventually: Callable,
):
    powerloop_wire.enqueue(reply)
    deltas = WrittenDeltas() if streamed else None
    call = asyncio.create_task(catalog.get(name).respond(make_request(name), deltas))
    await eventually(lambda: powerloop_wire.in_flight == 1, "the provider is at it")

    at = await cut_off(call)

    await eventually(lambda: powerloop_wire.cut == 1, "the server knows")
    (asked,) = powerloop_wire.requests
    assert asked.cut_at is not None
    assert asked.cut_at - at < SOON


@by_name
async def test_the_next_call_gets_its_own_answer(
    powerloop_wire: WireServer, catalog: ModelCatalog, name: str, eventually: Callable
):
    powerloop_wire.enqueue(STEADY, Reply(text="The next."))
    written = WrittenDeltas()
    call = asyncio.create_task(catalog.get(name).respond(make_request(name), written))
    await eventually(lambda: written.pieces, "the answer is under way")
    await cut_off(call)

    reply = await catalog.get(name).respond(make_request(name), WrittenDeltas())

    assert text_of(reply.content) == "The next."


@by_name
async def test_another_process_tells_what_was_cut(name: str, eventually: Callable):
    with WireProcess() as wire:
        wire.on("order", STEADY)
        catalog = ModelCatalog(wire.settings, retries=IMPATIENT)
        written = WrittenDeltas()
        call = asyncio.create_task(catalog.get(name).respond(make_request(name), written))
        await eventually(lambda: written.pieces, "the answer is under way")
        at = await cut_off(call)
        await catalog.close()

        await eventually(lambda: wire.stats().cut == 1, "the server knows")
        (asked,) = wire.requests()
        wire.reset()

        assert asked.cut_at is not None
        assert asked.cut_at - at < SOON
        assert wire.stats().cut == 0


@by_name
async def test_an_answer_that_is_read_to_its_end_is_not_cut(
    powerloop_wire: WireServer, catalog: ModelCatalog, name: str
):
    for deltas in (WrittenDeltas(), None):
        await catalog.get(name).respond(make_request(name), deltas)

    assert powerloop_wire.cut == 0
    assert [request.cut_at for request in powerloop_wire.requests] == [None, None]
