"""Functions of every shape: which become tools, and which are refused in words."""

import functools
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import pytest

from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.tools import ToolContext
from powerloop.tools import tool


class Shop:
    """A place with methods."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def find(self, order_id: str) -> str:
        """Find an order."""
        return f"{self.prefix}-{order_id}"

    @classmethod
    def open(cls, hour: int) -> bool:
        return hour > 8

    @staticmethod
    def close(hour: int) -> bool:
        return hour > 18

    def __call__(self, order_id: str) -> str:
        return self.find(order_id)


class AsyncShop:
    """A thing that is called asynchronously."""

    async def __call__(self, order_id: str) -> str:
        return order_id


def find(tenant: str, order_id: str, limit: int = 5) -> str:
    """Find an order.

    Args:
        order_id: The number.
    """
    return f"{tenant}/{order_id}/{limit}"


async def find_later(tenant: str, order_id: str) -> str:
    return f"{tenant}/{order_id}"


async def test_a_bound_method_is_a_tool(run):
    found = tool(Shop("north").find)

    assert (found.spec.name, list(found.spec.parameters["properties"])) == ("find", ["order_id"])
    assert (await run(found, {"order_id": "17"})).text == "north-17"


async def test_class_methods_and_static_methods_are_tools(run):
    assert (await run(tool(Shop.open), {"hour": 9})).text == "true"
    assert (await run(tool(Shop.close), {"hour": 9})).text == "false"


def test_a_method_decorated_in_its_class_is_refused_with_the_way_to_do_it():
    with pytest.raises(InvalidInput, match=r"'self' has no annotation.*tool\(instance.method\)"):
        tool(Shop.find)


def test_an_unbound_classmethod_is_refused():
    with pytest.raises(InvalidInput, match=r"tool\(Class.method\)"):
        tool(Shop.__dict__["open"])


async def test_a_callable_object_is_a_tool_once_it_has_a_name(run):
    assert (await run(tool(Shop("south"), name="find"), {"order_id": "1"})).text == "south-1"
    later = tool(AsyncShop(), name="later")
    assert not later.routine.blocking
    assert (await run(later, {"order_id": "2"})).text == "2"


def test_a_callable_object_without_a_name_is_refused():
    with pytest.raises(InvalidInput, match=r"name=…"):
        tool(Shop("south"))


async def test_what_a_partial_has_fixed_is_hidden_from_the_model(run):
    for fixed in (functools.partial(find, "north"), functools.partial(find, tenant="north")):
        found = tool(fixed)
        assert list(found.spec.parameters["properties"]) == ["order_id", "limit"]
        assert found.spec.description == "Find an order."
        assert (await run(found, {"order_id": "17"})).text == "north/17/5"
        assert "tenant is not an argument" in (await run(found, {"order_id": "17", "tenant": "x"})).text


async def test_a_partial_of_an_async_function_is_async(run):
    found = tool(functools.partial(functools.partial(find_later, tenant="a"), order_id="b"))

    assert not found.routine.blocking
    assert found.spec.parameters["properties"] == {}
    assert (await run(found)).text == "a/b"


async def test_positional_only_parameters_are_filled_in_their_order(run):
    @tool
    def show(first: int, second: int = 2, /, *, third: int = 3) -> list[int]:
        return [first, second, third]

    assert (await run(show, {"first": 1})).text == "[1,2,3]"
    assert (await run(show, {"first": 1, "second": 8, "third": 9})).text == "[1,8,9]"


async def test_a_positional_only_context_is_given(run):
    @tool
    def show(context: ToolContext, number: int, /) -> str:
        return f"{context.call_id} {number}"

    assert (await run(show, {"number": 1})).text == "call-1 1"


async def test_a_context_may_be_annotated(run):
    @tool
    def show(context: Annotated[ToolContext[Any], "the context"]) -> str:
        return context.agent

    assert (await run(show)).text == "support"


async def test_names_that_pydantic_keeps_for_itself_are_fine(run):
    @tool
    def show(_id: int, copy: int, model_config: int, schema: int, self_: int, argument_0: int) -> list[int]:
        return [_id, copy, model_config, schema, self_, argument_0]

    arguments = {"_id": 1, "copy": 2, "model_config": 3, "schema": 4, "self_": 5, "argument_0": 6}
    assert (await run(show, arguments)).text == "[1,2,3,4,5,6]"


async def test_a_decorated_function_shows_the_signature_it_wraps(run):
    def shouting(function):
        @functools.wraps(function)
        def shout(*args, **kwargs):
            return function(*args, **kwargs).upper()

        return shout

    found = tool(shouting(functools.partial(find, "north").func))

    assert list(found.spec.parameters["properties"]) == ["tenant", "order_id", "limit"]
    assert (await run(found, {"tenant": "a", "order_id": "b"})).text == "A/B/5"


async def test_a_plain_decorator_around_an_async_function_is_awaited(run):
    @functools.wraps(find_later)
    def logged(*args, **kwargs):
        return find_later(*args, **kwargs)

    assert (await run(tool(logged), {"tenant": "a", "order_id": "b"})).text == "a/b"


async def test_a_cached_function_is_a_tool(run):
    found = tool(functools.cache(find))

    assert (await run(found, {"tenant": "a", "order_id": "b"})).text == "a/b/5"


def open_ended(first: int, *rest: int) -> None: ...
def keyword_ended(first: int, **rest: int) -> None: ...
def untyped(order_id, limit: int = 1) -> None: ...
def late_context(order_id: str, context: ToolContext) -> None: ...
def optional_context(context: ToolContext | None, order_id: str) -> None: ...
def counting(limit: int) -> Iterator[int]:
    yield limit


async def counting_later(limit: int) -> AsyncIterator[int]:
    yield limit


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (open_ended, r"tool open_ended: a model cannot fill \*rest"),
        (keyword_ended, r"tool keyword_ended: a model cannot fill \*\*rest"),
        (untyped, r"tool untyped: the parameter 'order_id' has no annotation.*order_id: str"),
        (late_context, r"'context' is a ToolContext out of place.*first parameter"),
        (optional_context, r"'context' is a ToolContext out of place.*not a union"),
        (counting, "it yields.*Return one value"),
        (counting_later, "it yields.*Return one value"),
        (Shop, "is a class"),
        (17, "is 17, not a function"),
        (dict.fromkeys, "has no annotation|does not tell its parameters"),
    ],
)
def test_what_a_model_cannot_call_is_refused_in_words(function, words):
    with pytest.raises(InvalidInput, match=words):
        tool(function)
