"""Results that are too long for the model."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerloop.kernel.calls import CallStatus
from powerloop.kernel.errors import InvalidInput, ToolError
from powerloop.tools import AgentToolbox, tool
from powerloop.tools.capped import _cut


@tool(effect="read")
async def dump(size: int) -> str:
    return "<" + "é" * (size - 2) + ">"


@tool(effect="read")
async def complain(size: int) -> str:
    raise ToolError("!" * size)


async def test_a_result_that_fits_is_left_alone(run):
    outcome = await run(dump, {"size": 20_000})

    assert (len(outcome.text), outcome.full_text) == (20_000, None)


async def test_a_longer_result_keeps_its_head_and_its_tail_and_the_whole_beside_it(run):
    outcome = await run(dump, {"size": 20_001})

    assert len(outcome.text) <= 20_000
    assert outcome.text.startswith("<é")
    assert outcome.text.endswith("é>")
    assert outcome.full_text == "<" + "é" * 19_999 + ">"
    assert outcome.status is CallStatus.DONE


async def test_the_notice_tells_how_much_was_cut(run):
    outcome = await run(dump, {"size": 50_000})

    found = re.search(r"\n\n\[… ([\d,]+) of 50,000 characters were cut out here …\]\n\n", outcome.text)
    assert found
    left = len(outcome.text) - len(found[0])
    assert int(found[1].replace(",", "")) == 50_000 - left


async def test_an_error_is_cut_as_well(run):
    outcome = await run(complain, {"size": 30_000})

    assert (len(outcome.text) <= 20_000, len(outcome.full_text or "")) == (True, 30_000)


async def test_the_cap_can_be_chosen(run):
    outcome = await run(dump, {"size": 1000}, box=AgentToolbox(result_cap=300))

    assert len(outcome.text) <= 300


def test_a_cap_without_room_for_the_notice_is_refused():
    with pytest.raises(InvalidInput, match="at least 200 characters, not 100"):
        AgentToolbox(result_cap=100)


@given(st.integers(200, 2000), st.integers(1, 10_000))
def test_a_cut_text_never_exceeds_its_cap(cap, more):
    assert len(_cut("x" * (cap + more), cap)) <= cap
