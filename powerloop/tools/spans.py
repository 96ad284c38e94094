"""Spans of time that the author of a tool gives."""

from datetime import timedelta

from powerloop.kernel.errors import InvalidInput


def checked_span(value: object, option: str, name: str) -> timedelta | None:
    """The span, if it is one; `None` where none was given.

    Args:
        value: What the author gave.
        option: As what.
        name: Of the tool.

    Raises:
        InvalidInput: it is not longer than nothing, or no `timedelta`.
    """
    if value is None:
        return None
    if isinstance(value, timedelta) and value > timedelta(0):
        return value
    raise InvalidInput(
        f"tool {name}: {option}={value!r} is not a span of time.", hint="For example timedelta(seconds=30)."
    )
