"""What the arguments of a tool are checked by, and what they are once they are checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from powerloop.tools.signature import Parameter


@dataclass(frozen=True, slots=True)
class Bound:
    """Checked arguments, as the function takes them after its context."""

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


class Arguments(Protocol):
    """The arguments that a tool takes."""

    @property
    def schema(self) -> Mapping[str, Any]:
        """Their JSON Schema, an object."""
        ...

    def check(self, given: Mapping[str, Any]) -> Bound:
        """The arguments as the function takes them. Nothing in them is shared with `given`.

        Raises:
            ToolArgumentsInvalid: they do not fit. The message lists every problem for the model.
        """
        ...


def by_name(bound: Bound, parameters: Sequence[Parameter]) -> dict[str, Any]:
    """The arguments of a function with these parameters, by their names."""
    positional = [parameter.name for parameter in parameters if parameter.positional_only]
    return {**dict(zip(positional, bound.args, strict=True)), **bound.kwargs}


def without_nulls(given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments without those that are null: many models write null for what they leave out."""
    return {name: value for name, value in given.items() if value is not None}
