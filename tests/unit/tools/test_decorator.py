"""The decorator: what it takes from the function, and what it refuses."""

from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, assert_type

import pytest

from powerloop.kernel.calls import Effect
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.tools import Tool, ToolContext
from powerloop.tools import tool


@tool
def bare(order_id: str) -> str:
    """Find an order."""
    return f"order {order_id}"


@tool(effect="read", name="find-order", description="Finds.", timeout=timedelta(seconds=3))
async def dressed(order_id: str, limit: int = 5) -> int:
    """Find an order."""
    return len(order_id) + limit


def test_a_bare_tool_takes_its_name_and_words_from_the_function():
    assert (bare.spec.name, bare.spec.description) == ("bare", "Find an order.")


def test_options_win_over_the_function():
    spec = dressed.spec

    assert (spec.name, spec.description, spec.timeout) == ("find-order", "Finds.", timedelta(seconds=3))


def test_a_tool_is_still_called_like_its_function():
    assert bare("A-17") == "order A-17"
    assert bare(order_id="A-17") == "order A-17"


async def test_an_async_tool_is_still_called_like_its_function():
    assert await dressed("A-17", limit=1) == 5


def test_direct_calls_keep_their_signature_for_the_type_checker():
    assert_type(bare("A-17"), str)
    call = dressed("A-17", 2)
    assert_type(call, Coroutine[Any, Any, int])
    call.close()


def test_a_function_tool_is_a_tool():
    found: Tool = bare

    assert found.spec is bare.spec


def test_a_tool_keeps_what_the_function_says_of_itself():
    assert (bare.__name__, bare.__doc__, bare.__module__) == ("bare", "Find an order.", __name__)


def test_the_spec_is_made_once():
    assert dressed.spec is dressed.spec
    assert dressed.spec.parameters is dressed.spec.parameters


def test_a_tool_of_which_nothing_is_known_runs_once_and_alone():
    assert (bare.spec.effect, bare.spec.concurrent) == (Effect.ONCE, False)


@pytest.mark.parametrize("effect", [Effect.READ, "read", "idempotent", "keyed"])
def test_other_effects_may_run_beside_each_other(effect):
    spec = tool(_look, effect=effect).spec

    assert (spec.effect, spec.concurrent) == (Effect(effect), True)


def _look() -> str:
    return ""


@pytest.mark.parametrize(("effect", "concurrent"), [("once", True), ("read", False)])
def test_what_the_author_says_of_concurrency_holds(effect, concurrent):
    assert tool(_look, effect=effect, concurrent=concurrent).spec.concurrent is concurrent


def test_an_unknown_effect_is_refused_with_the_nearest():
    with pytest.raises(InvalidInput, match=r"no effect 'reed'.* Did you mean 'read'"):
        tool(_look, effect="reed")


def test_a_far_fetched_effect_is_refused_with_those_there_are():
    with pytest.raises(InvalidInput, match="The effects are: read, idempotent, keyed, once"):
        tool(_look, effect="zzz")


@pytest.mark.parametrize("name", ["", "find order", "x" * 65, "größe", "a.b"])
def test_a_name_that_no_provider_takes_is_refused(name):
    with pytest.raises(InvalidInput, match="cannot be the name of a tool"):
        tool(_look, name=name)


def test_a_name_may_have_64_characters():
    assert tool(_look, name="x" * 64).spec.name == "x" * 64


@pytest.mark.parametrize("timeout", [30, 0.5, timedelta(0), timedelta(seconds=-1), "1s"])
def test_a_timeout_that_is_no_span_is_refused(timeout):
    with pytest.raises(InvalidInput, match="is not a span of time"):
        tool(_look, timeout=timeout)


def test_a_lambda_needs_a_name():
    with pytest.raises(InvalidInput, match=r"name=…"):
        tool(lambda: "")

    assert tool(lambda: "", name="nothing").spec.name == "nothing"


def test_a_name_given_in_place_of_the_function_is_explained():
    with pytest.raises(InvalidInput, match=r"'find', not a function.*@tool\(name=…"):
        tool("find")


def test_a_tool_is_not_decorated_twice():
    with pytest.raises(InvalidInput, match="bare is a tool already"):
        tool(bare)


def test_the_context_is_not_shown_to_the_model():
    @tool
    def find(context: ToolContext[dict[str, str]], order_id: str) -> str:
        return context.deps[order_id]

    assert list(find.spec.parameters["properties"]) == ["order_id"]


def test_a_tool_shows_itself_by_name():
    assert repr(dressed) == "<FunctionTool find-order>"
