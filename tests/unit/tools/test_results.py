"""What a tool returns, as text."""

import math
from collections import namedtuple
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from pathlib import Path
from types import MappingProxyType
from uuid import UUID

import pytest
from pydantic import BaseModel

from powerloop.kernel.calls import CallStatus
from powerloop.kernel.errors import ToolRaised
from powerloop.tools import tool
from powerloop.tools.results import as_text


class Order(BaseModel):
    number: int
    placed: datetime | None = None


@dataclass
class Address:
    street: str
    order: Order


class Old(str, Enum):  # noqa: UP042 - the kind of enum whose str() is its name
    RED = "red"


class New(StrEnum):
    RED = "red"


class Level(Enum):
    HIGH = 2


Pair = namedtuple("Pair", "a b")  # noqa: PYI024 - what an author may use


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain \n text", "plain \n text"),
        ("", ""),
        (None, ""),
        (True, "true"),
        (3, "3"),
        (1.5, "1.5"),
        ({"a": [1, None, True], "ü": "é"}, '{"a":[1,null,true],"ü":"é"}'),
        ([], "[]"),
        (("a", 1), '["a",1]'),
        ({1}, "[1]"),
        (Pair(1, 2), "[1,2]"),
        (Order(number=1), '{"number":1,"placed":null}'),
        (Address("x", Order(number=1)), '{"street":"x","order":{"number":1,"placed":null}}'),
        ([Order(number=1)], '[{"number":1,"placed":null}]'),
        (datetime(2026, 1, 2, tzinfo=UTC), '"2026-01-02T00:00:00Z"'),
        (timedelta(minutes=1), '"PT1M"'),
        (Decimal("1.20"), '"1.20"'),
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (Path("/a"), '"/a"'),
        (Old.RED, "red"),
        (New.RED, "red"),
        (Level.HIGH, "2"),
        ({"level": Level.HIGH}, '{"level":2}'),
        ({1: "a"}, '{"1":"a"}'),
        ([math.nan, math.inf], "[null,null]"),
        (10**40, "1" + "0" * 40),
        (MappingProxyType({"a": range(2)}), '{"a":[0,1]}'),
        ({"half": "\ud83d"}, '{"half":"�"}'),
    ],
)
def test_a_result_is_text_or_compact_json(value, text):
    assert as_text(value) == text


def circle():
    ring = []
    ring.append(ring)
    return ring


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"abc", "bytes is not text or JSON .*decode it"),
        (bytearray(b"abc"), "bytearray is not text or JSON .*decode it"),
        (memoryview(b"abc"), "memoryview is not text or JSON"),
        ({"a": b"\xff"}, "dict is not text or JSON .*utf-8"),
        (object(), "object is not text or JSON"),
        ([memoryview(b"abc")], "list is not text or JSON .*memoryview"),
        ([ValueError("x")], "list is not text or JSON"),
        (lambda: 0, "function is not text or JSON"),
        (circle(), "list is not text or JSON .*[Cc]ircular"),
    ],
)
def test_what_has_no_json_is_refused_in_words_and_never_shown_as_a_repr(value, words):
    with pytest.raises(ToolRaised, match=f"The tool ran, but its result cannot be shown: {words}"):
        as_text(value)


@pytest.mark.parametrize("blocking", [True, False])
async def test_a_result_that_cannot_be_shown_fails_the_call_and_is_logged(run, caplog, blocking):
    def plain() -> bytes:
        return b"abc"

    async def later() -> bytes:
        return b"abc"

    outcome = await run(tool(plain if blocking else later))

    assert outcome.status is CallStatus.FAILED
    assert "The tool ran, but its result cannot be shown" in outcome.text
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("ERROR", "tool result refused")
    ]


async def test_half_a_surrogate_pair_and_nul_are_replaced(run):
    @tool
    def dirty() -> str:
        return "a\x00b\ud83d"

    assert (await run(dirty)).text == "a�b�"
