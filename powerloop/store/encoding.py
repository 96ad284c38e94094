"""JSON on its way into a database, compact and always clean, and on its way out."""

import json
from collections.abc import Iterable
from typing import Any, Final, TypeVar, cast

from powerloop.kernel.codec import content_from_json, content_to_json
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.jsontypes import JSON, clean_json
from powerloop.kernel.messages import Block


def encode(value: object) -> str:
    """`value` as compact JSON text that every database accepts, in the order of its keys.

    Strings that a database refuses are replaced as `clean_text` says, NaN and infinities by null.

    Raises:
        InvalidInput: `value` is not made of mappings, sequences, strings, numbers, booleans and `None`.
    """
    try:
        text = _dumps(value)
        # Almost every value is clean, and one pass in C over its text tells so: the walk in Python is saved.
        if "\\u0000" not in text and _is_encodable(text):
            return text
    except (TypeError, ValueError, RecursionError):
        pass
    try:
        return _dumps(clean_json(cast("JSON", value)))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"a value is not JSON: {error}.") from error


def decode(text: str) -> Any:  # noqa: ANN401 - whatever was encoded
    """The value of JSON text that a database holds."""
    # Most metadata is empty.
    return {} if text == "{}" else _decode(text)


def encode_content(content: Iterable[Block]) -> str:
    """Content blocks as a JSON array."""
    return encode(content_to_json(content))


JsonT = TypeVar("JsonT", bound=JSON)


def cleaned(value: JsonT) -> JsonT:
    """`value` as a database gives it back: a clean copy of plain dicts and lists.

    Raises:
        InvalidInput: `value` is not JSON.
    """
    copy: JsonT = decode(encode(value))
    return copy


def cleaned_content(content: Iterable[Block]) -> tuple[Block, ...]:
    """Content blocks as a database gives them back."""
    return content_from_json(decode(encode_content(content)))


_decode: Final = json.JSONDecoder().decode


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
