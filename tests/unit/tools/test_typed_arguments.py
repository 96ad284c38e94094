"""Arguments checked by type: what is taken, and the words in which the rest is refused."""

import re
import timeit
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from types import MappingProxyType
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from powerloop.kernel.errors import ToolArgumentsInvalid
from powerloop.tools import tool


class Colour(Enum):
    RED = "red"
    GREEN = "green"


class Item(BaseModel):
    sku: str
    quantity: int = Field(default=1, ge=1)


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    at: datetime


@dataclass
class Address:
    street: str
    zip: str = ""


def even(number: int) -> int:
    if number % 2:
        raise ValueError("an even number is wanted")
    return number


def place(
    *,
    order_id: int,
    items: list[Item],
    colour: Colour = Colour.RED,
    size: Literal["small", "large"] = "small",
    to: Address | None = None,
    at: Strict | datetime | int | None = None,
    pairs: Annotated[int, AfterValidator(even)] = 2,
    amounts: dict[str, int] = {},  # noqa: B006 - what an author may write
) -> None: ...


placing = tool(place)


def taken(**arguments):
    return placing.check({"order_id": 1, "items": [], **arguments}).kwargs


def refused(arguments):
    with pytest.raises(ToolArgumentsInvalid) as caught:
        placing.check(arguments)
    return str(caught.value)


def problems(**arguments):
    text = refused({"order_id": 1, "items": [], **arguments})
    return [line.removeprefix("- ") for line in text.splitlines() if line.startswith("- ")]


def test_values_arrive_as_the_types_that_the_function_asks_for():
    values = taken(items=[{"sku": "a"}], colour="green", to={"street": "x"}, at="2026-01-02T03:04:05Z")

    assert values["items"] == [Item(sku="a", quantity=1)]
    assert values["colour"] is Colour.GREEN
    assert values["to"] == Address("x")
    assert values["at"] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_defaults_fill_what_is_not_given():
    assert (taken()["colour"], taken()["size"], taken()["to"]) == (Colour.RED, "small", None)


def test_a_mutable_default_is_not_shared_between_calls():
    taken()["amounts"]["a"] = 1

    assert taken()["amounts"] == {}


@pytest.mark.parametrize("number", ["3", 3, 3.0])
def test_a_number_may_be_quoted(number):
    assert taken(order_id=number)["order_id"] == 3


def test_a_strict_model_takes_what_json_has():
    assert taken(at={"at": "2026-01-02T03:04:05Z"})["at"].at.year == 2026


def test_any_mapping_will_do():
    arguments = MappingProxyType({"order_id": 1, "items": ({"sku": "a"},)})

    assert placing.check(arguments).kwargs["items"] == [Item(sku="a")]


def test_the_function_gets_a_copy():
    amounts = {"a": 1}

    assert taken(amounts=amounts)["amounts"] is not amounts


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"order_id": "many"}, 'order_id should be a valid integer, unable to parse .*, not "many"$'),
        ({"order_id": 1.5}, r"order_id should be a valid integer, .*, not 1\.5$"),
        ({"order_id": None}, "order_id should be a valid integer, not null$"),
        ({"items": [{"sku": "a"}, {}]}, r"items\[1\]\.sku is missing$"),
        ({"items": [4]}, r"items\[0\] should be an object, not 4$"),
        ({"items": [{"sku": "a", "quantity": 0}]}, r"items\[0\]\.quantity should be greater .* 1, not 0$"),
        ({"items": {"sku": "a"}}, r'items should be a valid array, not {"sku": "a"}$'),
        ({"colour": "rde"}, "colour should be 'red' or 'green', not \"rde\"; did you mean 'red'\\?$"),
        ({"size": "LARGE"}, "size should be 'small' or 'large', not \"LARGE\"; did you mean 'large'\\?$"),
        ({"to": {"stret": "x"}}, r"to\.stret is not known here; did you mean 'street'\?$"),
        ({"to": {"street": "x", "qqq": 1}}, r"to\.qqq is not known here; the keys are: street, zip$"),
        ({"pairs": 3}, "pairs is wrong: an even number is wanted, not 3$"),
        ({"amounts": {"größe": "x"}}, r"amounts\.größe should be a valid integer"),
        ({"note": "x"}, "note is not an argument of this tool"),
        ({"order_ids": "x"}, r"order_ids is not an argument of this tool; did you mean 'order_id'\?$"),
        ({"argument_0": 1}, "argument_0 is not an argument of this tool"),
    ],
)
def test_each_problem_is_told_with_its_place(arguments, problem):
    assert any(re.match(problem, line) for line in problems(**arguments))


def test_the_branches_of_a_union_are_one_problem():
    found = problems(at=[1])

    assert len(found) == 1
    assert found[0].startswith(
        "at should be an object, or should be a valid datetime, or should be a valid int"
    )
    assert found[0].endswith("not [1]")


def test_every_problem_is_told_at_once_those_near_the_top_first():
    text = refused({"items": [{"quantity": 0}], "order": 3, "colour": 1})

    places = [line.split()[1] for line in text.splitlines() if line.startswith("- ")]
    assert places == ["order_id", "colour", "order", "items[0].sku", "items[0].quantity"]


def test_the_text_tells_what_was_done_what_there_is_and_what_to_do():
    lines = refused({}).splitlines()

    assert lines[0] == "The arguments do not fit, so nothing was run:"
    assert lines[-2].startswith("Its arguments are: order_id (required), items (required), colour, size")
    assert lines[-1] == "Correct the arguments and call the tool again."


def test_the_text_stays_short_whatever_is_wrong():
    huge = {
        "order_id": "x" * 10_000,
        "items": [{} for _ in range(1000)],
        **{"y" * 5000 + str(n): n for n in range(50)},
    }

    text = refused(huge)

    assert "more problems" in text
    assert len(text) < 6000


def test_a_long_list_of_choices_is_cut_and_the_nearest_still_named():
    many = Enum("Many", {f"C{number:03}": f"colour-{number:03}" for number in range(500)})

    def paint(colour: many) -> None: ...

    with pytest.raises(
        ToolArgumentsInvalid, match=r"…, not \"color-123\"; did you mean 'colour-123'\?"
    ) as caught:
        tool(paint).check({"colour": "color-123"})

    assert len(str(caught.value)) < 500


def test_half_a_surrogate_pair_is_no_reason_to_fail():
    assert taken(to={"street": "\ud83d"})["to"].street == "�"


def refusal(arguments):
    try:
        placing.check(arguments)
    except ToolArgumentsInvalid as error:
        return str(error)
    return ""


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
names = st.sampled_from(["order_id", "items", "colour", "size", "to", "at", "pairs", "amounts"]) | st.text()


@given(st.dictionaries(names, json_values))
def test_arguments_are_taken_or_refused_in_words_and_nothing_else(arguments):
    text = refusal(arguments)

    assert text == "" or "\n- " in text


def test_small_arguments_are_checked_in_less_than_50_microseconds():
    rounds = 200

    best = min(timeit.repeat(lambda: placing.check({"order_id": 1, "items": []}), number=rounds, repeat=20))

    assert best / rounds < 50e-6
