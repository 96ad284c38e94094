"""What a tool returns: the text that the model sees, or what the call waits for."""

from collections.abc import Mapping, Sequence
from enum import Enum

from pydantic_core import PydanticSerializationError, to_json, to_jsonable_python

from powerloop.kernel.errors import ToolRaised
from powerloop.kernel.jsontypes import clean_json
from powerloop.kernel.waits import Question, RunWorkflow, Sleep, Spawn, Wait


def as_result(value: object) -> str | Wait:
    """What the call waits for, if the tool says so; otherwise the text that the model sees.

    Raises:
        ToolRaised: it is neither, nor can be made text.
    """
    return value if isinstance(value, Question | Spawn | Sleep | RunWorkflow) else as_text(value)


def as_text(value: object) -> str:
    """A string as it is, `None` as nothing, an enum as its value, all else as compact JSON, never as a repr.

    Whatever pydantic can serialise has a JSON form: models, dataclasses, sets, dates, decimals, UUIDs, paths;
    so has any mapping or sequence of such. NaN and infinities are null.

    Raises:
        ToolRaised: the value is bytes, or has no JSON form. The message says that the tool has run.
    """
    if isinstance(value, Enum):
        value = value.value
    if value is None:
        return ""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        raise _unfit(value, "decode it, or encode it as base64, before it is returned")
    try:
        return _json(value)
    except (PydanticSerializationError, RecursionError, TypeError, ValueError) as error:
        raise _unfit(value, str(error)) from error


def _json(value: object) -> str:
    try:
        return to_json(value, inf_nan_mode="null", fallback=_plain).decode()
    except PydanticSerializationError as error:
        if "UnicodeEncodeError" not in str(error):
            raise
        # Half of a surrogate pair, somewhere inside: worth a second, slower pass, not worth the result.
        return to_json(clean_json(to_jsonable_python(value, fallback=_plain))).decode()


def _plain(value: object) -> object:
    """A mapping or sequence of a kind that pydantic does not know, as a dict or list."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence) and not isinstance(value, memoryview):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _unfit(value: object, reason: str) -> ToolRaised:
    kind = type(value).__name__
    return ToolRaised(
        f"The tool ran, but its result cannot be shown: {kind} is not text or JSON ({reason}).",
        hint="Do not call it again to see the result.",
    )
