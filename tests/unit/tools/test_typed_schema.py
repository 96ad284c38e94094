"""The schema that a function's annotations and docstring become."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from powerloop.kernel.errors import InvalidInput
from powerloop.tools import tool


class Colour(Enum):
    """What it looks like."""

    RED = "red"
    GREEN = "green"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Item(BaseModel):
    """One line of an order."""

    sku: str = Field(description="The article.")
    parts: "list[Item]" = []


@dataclass
class Address:
    street: str
    zip: str = ""


class Options(TypedDict, total=False):
    gift: bool


def google(order_id: str, note: str = "") -> None:
    """Place an order.

    It is shipped
    at once.

    Args:
        order_id (str): The number on
            the receipt.
        note: What to write.

    Returns:
        Nothing.

    Raises:
        ValueError: never.
    """


def numpy(order_id: str, note: str = "") -> None:
    """Place an order.

    It is shipped
    at once.

    Parameters
    ----------
    order_id : str
        The number on
        the receipt.
    note : str, optional
        What to write.
    """


def rest(order_id: str, note: str = "") -> None:
    """Place an order.

    It is shipped
    at once.

    :param order_id: The number on
        the receipt.
    :param str note: What to write.
    :returns: nothing
    """


@pytest.mark.parametrize("function", [google, numpy, rest])
def test_the_docstring_describes_the_tool_and_its_parameters(function):
    spec = tool(function).spec

    assert spec.description == "Place an order.\n\nIt is shipped\nat once."
    assert spec.parameters["properties"]["order_id"]["description"] == "The number on\nthe receipt."
    assert spec.parameters["properties"]["note"]["description"] == "What to write."


def test_a_function_without_a_docstring_has_no_description():
    def silent(order_id: str) -> None: ...

    assert tool(silent).spec.description == ""


def test_numpy_parameters_that_share_a_line_share_a_description():
    def area(width: int, height: int) -> int:
        """Measure.

        Parameters
        ----------
        width, height : int
            In metres.
        """
        return width * height

    properties = tool(area).spec.parameters["properties"]
    assert [properties[name]["description"] for name in ("width", "height")] == ["In metres.", "In metres."]


def test_the_schema_of_simple_arguments_is_tidy():
    assert dict(tool(google).spec.parameters) == {
        "type": "object",
        "properties": {
            "order_id": {"type": "string", "description": "The number on\nthe receipt."},
            "note": {"type": "string", "description": "What to write.", "default": ""},
        },
        "required": ["order_id"],
        "additionalProperties": False,
    }


def test_a_tool_without_parameters_takes_an_empty_object():
    def nothing() -> None: ...

    parameters = tool(nothing).spec.parameters

    assert dict(parameters) == {"type": "object", "properties": {}, "additionalProperties": False}


def test_what_the_annotation_says_wins_over_the_docstring():
    def place(
        count: Annotated[int, Field(ge=1, description="How many.", title="Count")],
        size: int = Field(default=3, le=9),
    ) -> None:
        """Place.

        Args:
            count: Forgotten.
            size: Kept.
        """

    properties = tool(place).spec.parameters["properties"]

    assert properties["count"] == {
        "type": "integer",
        "minimum": 1,
        "description": "How many.",
        "title": "Count",
    }
    assert properties["size"] == {"type": "integer", "maximum": 9, "default": 3, "description": "Kept."}


def many(
    *,
    item: Item,
    colour: Colour,
    to: Address,
    when: datetime,
    day: date | None = None,
    size: Literal["s", "m", 3] = "s",
    options: Options | None = None,
    amounts: dict[str, Decimal] = {},  # noqa: B006 - what an author may write
    pair: tuple[int, str] = (1, "a"),
    tags: frozenset[str] = frozenset(),
    level: Level = Level.LOW,
    wait: timedelta = timedelta(seconds=1),
    key: UUID | int | None = None,
    file: Path = Path(),
    anything: Any = None,
) -> None: ...


def test_every_usual_type_has_a_schema():
    schema = tool(many).spec.parameters

    Draft202012Validator.check_schema(schema)
    assert set(schema["$defs"]) == {"Item", "Colour", "Address", "Options", "Level"}
    assert schema["required"] == ["item", "colour", "to", "when"]
    assert schema["properties"]["colour"] == {"$ref": "#/$defs/Colour"}
    assert schema["properties"]["size"]["enum"] == ["s", "m", 3]
    assert schema["$defs"]["Item"]["properties"]["sku"]["description"] == "The article."


def test_the_schema_has_no_titles_and_is_json():
    schema = tool(many).spec.parameters

    assert '"title"' not in json.dumps(schema)


def test_unknown_keys_are_refused_at_the_top_and_in_types_without_a_config():
    schema = tool(many).spec.parameters

    refusing = [schema, schema["$defs"]["Address"], schema["$defs"]["Options"]]
    assert [place["additionalProperties"] for place in refusing] == [False] * 3


def test_a_parameter_called_title_keeps_its_name():
    def name(title: str) -> None: ...

    assert tool(name).spec.parameters["properties"] == {"title": {"type": "string"}}


def test_a_default_that_is_not_json_is_not_shown():
    marker = object()

    def place(note: Any = marker) -> None: ...

    assert tool(place).spec.parameters["properties"] == {"note": {}}


class Client:
    """Nothing that JSON knows."""


@pytest.mark.parametrize(
    "annotation",
    [
        Client,
        Callable[[], int],
        "Colour | Client",
        "Annotated[Client, 1]",
        "list[Client]",
        "Annotated[str, Field(pattern='[')]",
    ],
)
def test_a_type_that_a_model_cannot_give_is_refused_by_the_name_of_its_parameter(annotation):
    def place(order_id: str, client: Client) -> None: ...

    place.__annotations__["client"] = annotation

    with pytest.raises(InvalidInput, match=r"value for 'client'.*ToolContext\.deps"):
        tool(place)
