"""References and templates: what they say, where they lead, and what is put into texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerloop.workflow.references import NOTHING, Reference, parse_reference, resolve
from powerloop.workflow.templates import fill, references_in, render

VALUES = {
    "input": "cats",
    "plan": {"topics": ["paws", {"name": "tails"}], "odd key": 1, "none": None, "yes": True},
    "topic": {"name": "Größe"},
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("input", "cats"),
        ("plan.topics[0]", "paws"),
        ("plan.topics[1].name", "tails"),
        ('plan["odd key"]', 1),
        ("plan.none", None),
        ("plan.topics[2]", NOTHING),
        ("plan.nothing.at.all", NOTHING),
        ("input[0]", NOTHING),
        ("nobody", NOTHING),
    ],
)
def test_a_reference_leads_into_a_value(text, value):
    assert resolve(parse_reference(text), VALUES) == value


@pytest.mark.parametrize("text", ["", ".a", "a.", "a[", "a[x]", "a b", "1a", 'a["b]', "a..b", "a[-1]"])
def test_what_is_no_reference_is_refused_with_its_form(text):
    with pytest.raises(ValueError, match=r"should be a name"):
        parse_reference(text)


@given(
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,8}", fullmatch=True),
    st.lists(st.one_of(st.integers(0, 99), st.text(min_size=1)), max_size=5),
)
def test_a_reference_is_read_as_it_is_written(name, path):
    written = Reference(name, tuple(path))
    if all('"' not in step and "\\" not in step for step in path if isinstance(step, str)):
        assert parse_reference(str(written)) == written


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("About {{input}}.", "About cats."),
        ("{{ topic.name }}", "Größe"),
        ("{{plan.topics}}", '["paws", {"name": "tails"}]'),
        ("{{plan.yes}} and {{plan.none}}!", "true and !"),
        ("{{nobody}}", ""),
        ("no places, {single} braces", "no places, {single} braces"),
    ],
)
def test_values_are_put_in_as_text_or_json(template, text):
    assert render(template, VALUES) == text


def test_what_is_put_in_is_not_looked_through_again():
    assert render("{{input}}", {"input": "{{plan}}"}) == "{{plan}}"


def test_a_text_that_is_one_place_becomes_the_value_itself():
    arguments = {"topics": "{{plan.topics}}", "note": ["for {{input}}"], "count": 3, "none": "{{nobody}}"}
    assert fill(arguments, VALUES) == {
        "topics": ["paws", {"name": "tails"}],
        "note": ["for cats"],
        "count": 3,
        "none": None,
    }


def test_the_places_of_a_text_are_told_in_their_order():
    assert list(map(str, references_in("{{b.c}} {{a}} {{b.c}}"))) == ["b.c", "a", "b.c"]
    with pytest.raises(ValueError, match=r"has '\{\{a b\}\}' in it"):
        list(references_in("x {{a b}}"))
