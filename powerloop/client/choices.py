"""Values out of a closed set, as producers write them: the member, or its text."""

from difflib import get_close_matches
from enum import StrEnum
from typing import TypeVar

from powerloop.kernel.errors import InvalidInput

ChoiceT = TypeVar("ChoiceT", bound=StrEnum)


def chosen(kind: type[ChoiceT], value: str, what: str) -> ChoiceT:
    """The member that the value names.

    Args:
        kind: The set.
        value: The member or its text.
        what: What it is called, in the singular and without its article.

    Raises:
        InvalidInput: there is none of that name.
    """
    try:
        return kind(value)
    except ValueError:
        known = [member.value for member in kind]
        close = get_close_matches(str(value), known, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(known)}."
        raise InvalidInput(f"there is no {what} {value!r}.", hint=hint) from None
