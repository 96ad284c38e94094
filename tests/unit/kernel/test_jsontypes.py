import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerloop.kernel.jsontypes import clean_json, clean_text, in_key_order


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("a\x00b", "a\N{REPLACEMENT CHARACTER}b"),
        ("\ud83d", "\N{REPLACEMENT CHARACTER}"),
        ("\ud83d\ude00", "\N{GRINNING FACE}"),
        ("plain ünïcode \N{GRINNING FACE}", "plain ünïcode \N{GRINNING FACE}"),
    ],
)
def test_what_a_database_refuses_is_replaced(dirty: str, clean: str):
    assert clean_text(dirty) == clean


@given(st.text(st.characters(exclude_categories=[])))
def test_cleaned_text_is_always_storable_and_stays(text: str):
    cleaned = clean_text(text)
    assert "\x00" not in cleaned
    assert cleaned.encode().decode() == cleaned
    assert clean_text(cleaned) == cleaned


def test_json_is_cleaned_to_its_leaves_and_keys():
    cleaned = clean_json({"k\x00": [1, {"x": "\ud800"}, math.nan, math.inf, 1.5, True, None]})
    mark = "\N{REPLACEMENT CHARACTER}"
    assert cleaned == {f"k{mark}": [1, {"x": mark}, None, None, 1.5, True, None]}
    json.dumps(cleaned, allow_nan=False)


def test_keys_come_in_the_order_that_jsonb_gives_them():
    ordered = in_key_order({"bb": 1, "ä": 2, "a": {"zz": 1, "y": [{"bb": 0, "b": 0}]}, "b": 3})
    assert json.dumps(ordered, ensure_ascii=False) == (
        '{"a": {"y": [{"b": 0, "bb": 0}], "zz": 1}, "b": 3, "bb": 1, "ä": 2}'
    )
