"""Metadata as options give it: ``key=text``, or ``key:=JSON`` for what is no text."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from powerloop.kernel.errors import InvalidInput

#: The option of commands that find things by their metadata.
ByMetadata = Annotated[
    list[str] | None,
    typer.Option(
        "--metadata",
        metavar="KEY=TEXT",
        help="Only those with this metadata; KEY:=JSON for no text. Repeat it.",
    ),
]


def pairs(given: Sequence[str] | None) -> Mapping[str, Any] | None:
    """What the options come to; `None` where there are none.

    Raises:
        InvalidInput: one of them is no pair, or its JSON is none.
    """
    return dict(_pair(text) for text in given) if given else None


def _pair(text: str) -> tuple[str, object]:
    key, equals, value = text.partition("=")
    if not equals or key in ("", ":"):
        raise InvalidInput(f"--metadata is KEY=TEXT or KEY:=JSON, not {text!r}.")
    if not key.endswith(":"):
        return key, value
    try:
        return key[:-1], json.loads(value)
    except ValueError as error:
        raise InvalidInput(f"--metadata {text}: {value!r} is not JSON: {error}.") from error
