"""Whatever a tool may raise: what the model is told, and what is logged."""

import asyncio
import logging
from typing import Any

import pytest

from powerloop.kernel.calls import CallStatus
from powerloop.kernel.errors import ToolError
from powerloop.tools import tool


def raising(error: BaseException, *, blocking: bool) -> Any:
    def plain() -> None:
        raise error

    async def later() -> None:
        raise error

    return tool(plain if blocking else later, name="boom", effect="read")


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


BOTH = pytest.mark.parametrize("blocking", [True, False])


@BOTH
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("no such order."), "boom raised ValueError: no such order."),
        (ValueError(), "boom raised ValueError."),
        (
            TypeError("boom() missing 1 required positional argument"),
            "boom raised TypeError: boom() missing 1 req",
        ),
        (Mute(), "boom raised Mute."),
        (SystemExit(2), "boom raised SystemExit: 2."),
        (KeyboardInterrupt(), "boom raised KeyboardInterrupt."),
        (asyncio.CancelledError("inner"), "boom raised CancelledError: inner."),
        (StopIteration(), "boom raised RuntimeError: coroutine raised StopIteration."),
        (
            ExceptionGroup("many", [ValueError("a"), KeyError("b")]),
            "boom raised ValueError: a; KeyError: 'b'.",
        ),
        (UnicodeError("schön 漢字"), "boom raised UnicodeError: schön 漢字."),
    ],
)
async def test_whatever_a_tool_raises_is_told_to_the_model_and_logged(run, caplog, blocking, error, told):
    outcome = await run(raising(error, blocking=blocking))

    assert outcome.status is CallStatus.FAILED
    assert outcome.text.startswith(told)
    assert "Traceback" not in outcome.text
    record = caplog.records[-1]
    assert (record.levelname, record.message) == ("ERROR", "tool raised")
    assert record.exc_info
    ids = (record.session_id, record.send_id, record.call_id, record.agent, record.tool, record.attempt)
    assert ids == ("session-1", "send-1", "call-1", "support", "boom", 1)


@BOTH
async def test_a_type_error_in_the_body_runs_the_body_once(run, blocking):
    ran = []

    def plain(n: int) -> None:
        ran.append(n)
        raise TypeError("plain() got an unexpected keyword argument 'n'")

    async def later(n: int) -> None:
        plain(n)

    outcome = await run(tool(plain if blocking else later), {"n": 1})

    assert "raised TypeError: plain() got an unexpected keyword argument" in outcome.text
    assert ran == [1]


@BOTH
async def test_a_tool_error_reaches_the_model_as_it_stands_and_is_no_defect(run, caplog, blocking):
    caplog.set_level(logging.INFO)
    error = ToolError("We are closed.", hint="Come back on Monday.")

    outcome = await run(raising(error, blocking=blocking))

    assert (outcome.status, outcome.text) == (CallStatus.FAILED, "We are closed. Come back on Monday.")
    record = caplog.records[-1]
    assert (record.levelname, record.message, record.code) == ("INFO", "tool call failed", "tool.error")
    assert record.exc_info is None


async def test_a_failed_call_that_may_have_taken_effect_says_so(run):
    @tool
    async def pay() -> None:
        raise ConnectionError("reset")

    assert (await run(pay)).text == (
        "pay raised ConnectionError: reset. "
        "It may have taken effect all the same: find out before you repeat it."
    )
