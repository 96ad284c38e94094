"""When metadata matches a filter, for stores that cannot compare JSON themselves."""

from collections.abc import Mapping

from powerloop.kernel.jsontypes import JSONObject


def has_metadata(metadata: JSONObject, wanted: JSONObject) -> bool:
    """Whether `metadata` has all top-level keys of `wanted` with equal values."""
    return all(key in metadata and json_equal(metadata[key], value) for key, value in wanted.items())


def json_equal(one: object, other: object) -> bool:
    """Equality as Postgres has it: 1 equals 1.0, true does not equal 1, the order of keys is nothing."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and has_metadata(one, other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(json_equal, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
