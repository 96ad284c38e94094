"""What the arguments of a tool are checked by, and what they are once they are checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


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
