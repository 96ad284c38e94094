"""Model calls that are cancelled, over every provider: at once, and at any point."""

import asyncio
import time
from datetime import timedelta

import pytest

from powerloop.kernel.messages import text_of
from powerloop.testing.model_providers import PATIENT, Answer, ToldProvider, WrittenDeltas, make_request

SOON_S = 0.5
WORDS = Answer(text="one two three four", delay=timedelta(milliseconds=150), pace=timedelta(milliseconds=100))

at_any_moment = pytest.mark.parametrize("moment_ms", [0, 1, 10, 50, 100])


async def cancel(call: asyncio.Task) -> None:
    """Cancel the call, which shall end at once."""
    began = time.monotonic()
    call.cancel()
    await asyncio.wait([call], timeout=10)
    assert call.cancelled()
    assert time.monotonic() - began < SOON_S


async def test_a_call_is_cut_off_in_the_middle_of_its_text(provider: ToldProvider, eventually):
    provider.will(WORDS)
    written = WrittenDeltas()
    call = asyncio.create_task(provider.model(PATIENT).respond(make_request(provider.name), written))

    await eventually(lambda: len(written.pieces) == 2, "half of the text is there")
    await cancel(call)

    assert (written.pieces, written.rewinds) == (["one ", "two "], 0)


@at_any_moment
async def test_a_call_is_cut_off_at_any_moment(
    provider: ToldProvider, written: WrittenDeltas | None, moment_ms: int
):
    provider.will(WORDS)
    call = asyncio.create_task(provider.model(PATIENT).respond(make_request(provider.name), written))
    await asyncio.wait([call], timeout=moment_ms / 1000)

    await cancel(call)


@at_any_moment
async def test_a_call_is_cut_off_while_it_is_tried_again(provider: ToldProvider, moment_ms: int):
    provider.retry_after = timedelta(milliseconds=80)
    provider.will(WORDS, failing=("model.rate_limited",) * 9)
    call = asyncio.create_task(provider.model(PATIENT).respond(make_request(provider.name), WrittenDeltas()))
    await asyncio.wait([call], timeout=moment_ms / 1000)

    await cancel(call)


async def test_other_calls_of_the_model_go_on(provider: ToldProvider):
    provider.will(WORDS)
    model = provider.model(PATIENT)
    calls = [
        asyncio.create_task(model.respond(make_request(provider.name), WrittenDeltas())) for _ in range(4)
    ]
    await asyncio.wait(calls, timeout=0.2)

    await cancel(calls[0])

    replies = await asyncio.gather(*calls[1:])
    assert [text_of(reply.content) for reply in replies] == [WORDS.text] * 3
