"""Templates of scripts: ``$name`` in a text or in an argument, filled with words of the conversation."""

import json
from collections.abc import Mapping
from string import Template

from powerloop.kernel.jsontypes import JSON, JSONObject


def fill(text: str, words: Mapping[str, str]) -> str:
    """The text with each ``$name`` replaced by its word; names without a word stay as they are."""
    return Template(text).safe_substitute(words) if "$" in text else text


def fill_object(value: JSONObject, words: Mapping[str, str]) -> JSONObject:
    """The object with every string in it filled, at any depth; keys stay as they are."""
    return {key: _fill_json(item, words) for key, item in value.items()}


def facts_of(text: str) -> str:
    """A JSON object as ``key: value`` pairs; any other text as it stands."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if not isinstance(value, dict):
        return text
    return ", ".join(f"{key.replace('_', ' ')}: {item}" for key, item in value.items())


def _fill_json(value: JSON, words: Mapping[str, str]) -> JSON:
    match value:
        case str():
            return fill(value, words)
        case Mapping():
            return fill_object(value, words)
        case list() | tuple():
            return [_fill_json(item, words) for item in value]
        case _:
            return value
