"""Templates: texts with ``{{reference}}`` in them, and what is put there."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from powerloop.kernel.jsontypes import JSON
from powerloop.workflow.references import NOTHING, Reference, parse_reference, resolve

_PLACE: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


def references_in(text: str) -> Iterator[Reference]:
    """The references of a text, in their order.

    Raises:
        ValueError: what stands in one of its places is no reference; the message is the end of a sentence.
    """
    for place in _PLACE.finditer(text):
        try:
            yield parse_reference(place.group(1).strip())
        except ValueError as error:
            raise ValueError(f"has {place.group()!r} in it, which {error}") from None


def texts_in(value: JSON) -> Iterator[str]:
    """Every text in a value, as a template may stand anywhere in it."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts_in(item)


def render(text: str, values: Mapping[str, Any]) -> str:
    """The text with its places filled: texts as they are, all else as JSON, what is not there as nothing."""
    return _PLACE.sub(lambda place: as_text(resolve(parse_reference(place.group(1).strip()), values)), text)


def fill(value: JSON, values: Mapping[str, Any]) -> JSON:
    """The value with every text in it rendered.

    A text that is one place and nothing else becomes the value itself: ``{"ids": "{{plan.ids}}"}`` is given a
    list, and no text of one.
    """
    if isinstance(value, str):
        whole = _PLACE.fullmatch(value)
        if whole is None or "{{" in whole.group(1):
            return render(value, values)
        found: JSON = resolve(parse_reference(whole.group(1).strip()), values)
        return None if found is NOTHING else found
    if isinstance(value, Mapping):
        return {key: fill(item, values) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [fill(item, values) for item in value]
    return value


def as_text(value: Any) -> str:  # noqa: ANN401 - any JSON, or NOTHING
    """A value in a text: a text as it is, nothing as nothing, all else as JSON."""
    if value is NOTHING or value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
