"""JSON and texts as commands are given them: in options, in files, on standard input."""

import json
from pathlib import Path
from typing import Any, NoReturn

import typer

from powerloop.kernel.errors import InvalidInput


def read_text(file: Path) -> str:
    """The text of the file; ``-`` is standard input.

    Raises:
        InvalidInput: it cannot be read.
    """
    try:
        return typer.get_text_stream("stdin").read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} cannot be read: {error}.") from error


def json_given(text: str, option: str) -> Any:  # noqa: ANN401 - any JSON
    """What an option was given as JSON.

    Raises:
        InvalidInput: it is not JSON.
    """
    try:
        return _parsed(text)
    except ValueError as error:
        raise InvalidInput(f"{option}: {text!r:.200} is not JSON: {error}.") from error


def input_given(given: str | None) -> Any:  # noqa: ANN401 - any JSON
    """What ``--input`` says: JSON, what is in ``@FILE``, or a text. `None`: nothing.

    Raises:
        InvalidInput: the file cannot be read, or what looks like JSON is none.
    """
    if given is None:
        return None
    named = given.removeprefix("@") if given.startswith("@") else None
    text = given if named is None else read_text(Path(named))
    try:
        return _parsed(text)
    except ValueError as error:
        if named is not None and not named.endswith(".json"):
            return text
        if named is not None or text.lstrip().startswith(("{", "[")):
            raise InvalidInput(
                f"--input: {text!r:.200} is not JSON: {error}.",
                hint="A text that begins as JSON does is given in quotes of JSON: --input '\"[sic]\"'.",
            ) from error
        return text


def _parsed(text: str) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(text, parse_constant=_no_constant)


def _no_constant(word: str) -> NoReturn:
    # Python reads NaN and Infinity, which are no JSON.
    raise ValueError(f"{word} is none of its words")
