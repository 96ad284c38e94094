"""Tools in a module whose annotations are text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.tools import ToolContext
from powerloop.tools import schema_tool, tool

if TYPE_CHECKING:
    from decimal import Decimal


@dataclass
class Order:
    """What was bought."""

    number: int


@tool(effect="read")
async def show(context: ToolContext[Order], order: Order, note: str | None = None) -> Decimal:
    """Show an order."""
    return [context.deps.number, order.number, note]


async def test_annotations_that_are_text_are_resolved(run):
    outcome = await run(show, {"order": {"number": 2}}, deps=Order(1))

    assert outcome.text == "[1,2,null]"


def test_a_name_that_exists_for_type_checkers_only_is_refused_in_words():
    with pytest.raises(InvalidInput, match=r"'Decimal' is not defined.*at run time"):

        @tool
        def pay(amount: Decimal) -> None: ...


async def test_the_annotations_of_a_handler_do_not_matter(run):
    def handle(context: Nowhere, arguments: Decimal) -> None:  # noqa: F821 - the point of the test
        return arguments["a"]

    handled = schema_tool("handle", "", {"type": "object"}, handle)

    assert (await run(handled, {"a": "b"})).text == "b"
