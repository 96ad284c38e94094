"""Conditions: what `when`, `until` and the cases of a branch ask of a value."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    Tag,
    model_validator,
)

from powerloop.workflow.references import NOTHING, Reference, parse_reference, resolve

OPERATORS: Final = ("eq", "ne", "in", "gt", "gte", "lt", "lte", "exists", "matches")

_FROZEN: Final = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def _reference(text: str) -> str:
    parse_reference(text)
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    return text


#: A reference, as a spec writes it.
ReferenceText: TypeAlias = Annotated[
    str, AfterValidator(_reference), Field(description="For example plan.topics[0]")
]


class Test(BaseModel):
    """One operator and what it compares with. Values are those of JSON: true is not "true", 1 is not "1"."""

    __test__ = False
    model_config = _FROZEN

    eq: JsonValue = Field(default=None, description="The value is this.")
    ne: JsonValue = Field(default=None, description="The value is not this.")
    among: list[JsonValue] | None = Field(default=None, alias="in", description="The value is one of these.")
    gt: float | str | None = Field(default=None, description="It is greater.")
    gte: float | str | None = Field(default=None, description="It is greater, or this.")
    lt: float | str | None = Field(default=None, description="It is less.")
    lte: float | str | None = Field(default=None, description="It is less, or this.")
    exists: bool | None = Field(default=None, description="Whether there is a value other than null.")
    matches: Annotated[str, AfterValidator(_pattern)] | None = Field(
        default=None, description="A regular expression that is found in the text."
    )

    @model_validator(mode="after")
    def _has_one_operator(self) -> "Test":
        if len(self._given()) != 1:
            raise ValueError(f"should have exactly one of {', '.join(OPERATORS)}")
        return self

    def holds(self, value: Any) -> bool:  # noqa: ANN401 - any JSON, or NOTHING
        """Whether the value passes. What cannot be compared does not."""
        (operator,) = self._given()
        expected = getattr(self, operator)
        match operator:
            case "eq" | "ne":
                return same(value, expected) == (operator == "eq")
            case "among":
                return any(same(value, one) for one in expected)
            case "exists":
                return (value is not NOTHING and value is not None) is bool(expected)
            case "matches":
                return isinstance(value, str) and re.search(expected, value) is not None
            case _:
                return _compares(operator, value, expected)

    def _given(self) -> set[str]:
        return self.model_fields_set & {"among" if name == "in" else name for name in OPERATORS}


class Check(Test):
    """A test of the value that a reference leads to."""

    ref: ReferenceText


class Every(BaseModel):
    """All of these hold."""

    model_config = _FROZEN
    every: Annotated[list["Condition"], Field(min_length=1)] = Field(alias="all")


class Some(BaseModel):
    """One of these holds."""

    model_config = _FROZEN
    some: Annotated[list["Condition"], Field(min_length=1)] = Field(alias="any")


class Negation(BaseModel):
    """This does not hold."""

    model_config = _FROZEN
    negated: "Condition" = Field(alias="not")


def _kind(value: object) -> str:
    """Which kind of condition it is, so that only that one says what is wrong with it."""
    for key, model in (("all", Every), ("any", Some), ("not", Negation)):
        if isinstance(value, model) or (isinstance(value, Mapping) and key in value):
            return key
    return "check"


Condition: TypeAlias = Annotated[
    Annotated[Check, Tag("check")]
    | Annotated[Every, Tag("all")]
    | Annotated[Some, Tag("any")]
    | Annotated[Negation, Tag("not")],
    Discriminator(_kind),
]

for _model in (Every, Some, Negation):
    _model.model_rebuild()


def holds(condition: Condition, values: Mapping[str, Any]) -> bool:
    """Whether the condition holds of what the names have. A reference that leads nowhere has no value."""
    match condition:
        case Check():
            return condition.holds(resolve(parse_reference(condition.ref), values))
        case Every(every=several):
            return all(holds(one, values) for one in several)
        case Some(some=several):
            return any(holds(one, values) for one in several)
        case Negation(negated=one):
            return not holds(one, values)


def references_of(condition: Condition) -> Iterator[Reference]:
    """What the condition asks about."""
    match condition:
        case Check():
            yield parse_reference(condition.ref)
        case Every(every=several) | Some(some=several):
            for one in several:
                yield from references_of(one)
        case Negation(negated=one):
            yield from references_of(one)


def same(value: Any, expected: Any) -> bool:  # noqa: ANN401 - any JSON
    """Whether two values are equal as JSON has it: 1 is 1.0, and true is neither."""
    if isinstance(value, bool) or isinstance(expected, bool):
        return value is expected
    if isinstance(value, Mapping) and isinstance(expected, Mapping):
        return value.keys() == expected.keys() and all(same(value[key], expected[key]) for key in value)
    if isinstance(value, list) and isinstance(expected, list):
        return len(value) == len(expected) and all(map(same, value, expected))
    return bool(value == expected)


def _compares(operator: str, value: Any, expected: Any) -> bool:  # noqa: ANN401 - any JSON
    numbers = _is_number(value) and _is_number(expected)
    if not (numbers or (isinstance(value, str) and isinstance(expected, str))):
        return False
    match operator:
        case "gt":
            return bool(value > expected)
        case "gte":
            return bool(value >= expected)
        case "lt":
            return bool(value < expected)
        case _:
            return bool(value <= expected)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
