"""The shape of JSON, and text that any database accepts."""

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

JSON: TypeAlias = "Mapping[str, JSON] | Sequence[JSON] | str | int | float | bool | None"
JSONObject: TypeAlias = Mapping[str, JSON]

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def clean_text(text: str) -> str:
    """Replace what Postgres refuses in text and JSONB: NUL characters and lone surrogates.

    Models emit both (a surrogate pair cut between two stream chunks, a binary file read by a tool).
    """
    if "\x00" in text:
        text = text.replace("\x00", _REPLACEMENT)
    try:
        text.encode()
    except UnicodeEncodeError:
        # A pair of surrogates is one character that arrived in two halves: join it before giving up on it.
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def clean_json(value: JSON) -> JSON:
    """The same value with all strings and keys passed through `clean_text`; NaN and infinities are null."""
    match value:
        case str():
            return clean_text(value)
        case float() if not math.isfinite(value):
            return None
        case Mapping():
            return {clean_text(str(key)): clean_json(item) for key, item in value.items()}
        case list() | tuple():
            return [clean_json(item) for item in value]
        case _:
            return value


def in_key_order(value: JSON) -> JSON:
    """The same value, the keys of every object ordered as Postgres orders them: shorter first, then by bytes.

    What a model wrote is sent back to it in each later call. Were the order to change once it was read from
    the database, the provider's prompt cache would miss all that follows.
    """
    match value:
        case Mapping():
            keys = sorted(value, key=lambda key: (len(encoded := key.encode(errors="replace")), encoded))
            return {key: in_key_order(value[key]) for key in keys}
        case list() | tuple():
            return [in_key_order(item) for item in value]
        case _:
            return value
