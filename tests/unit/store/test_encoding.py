"""JSON on its way into a database."""

import json
from types import MappingProxyType

import pytest

from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.messages import TextBlock, ToolCallBlock
from powerloop.store.encoding import cleaned, cleaned_content, encode


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [1.5, None, True]}, '{"b":1,"a":[1.5,null,true]}'),
        ("\N{GRINNING FACE} ü", '"\N{GRINNING FACE} ü"'),
        ("a\x00b", '"a\ufffdb"'),
        ("\ud800", '"\ufffd"'),
        ("\ud83d\ude00", '"\N{GRINNING FACE}"'),
        ("\\u0000", '"\\\\u0000"'),
        ({"\x00": float("nan")}, '{"\ufffd":null}'),
        ([float("inf"), -float("inf")], "[null,null]"),
        ((1, (2,)), "[1,[2]]"),
        (MappingProxyType({"a": MappingProxyType({})}), '{"a":{}}'),
    ],
    ids=repr,
)
def test_a_value_is_encoded_compact_and_clean(value, text):
    assert encode(value) == text
    assert json.loads(encode(value)) is not ...


def test_what_is_not_json_is_refused():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    for value in (object(), {"a": {1, 2}}, b"bytes", deep):
        with pytest.raises(InvalidInput, match="not JSON"):
            encode(value)


def test_a_cleaned_value_is_a_copy_of_plain_parts():
    inner = [1]
    value = {"a": inner, "t": (1, 2)}
    copy = cleaned(value)
    inner.append(2)
    assert copy == {"a": [1], "t": [1, 2]}


def test_cleaned_content_is_what_comes_back():
    content = (TextBlock(text="a\x00"), ToolCallBlock(id="c", name="t", arguments={"z": (1,), "a": 2}))
    clean = cleaned_content(content)
    assert clean == (
        TextBlock(text="a\ufffd"),
        ToolCallBlock(id="c", name="t", arguments={"z": [1], "a": 2}),
    )
    assert list(clean[1].arguments) == ["z", "a"]
