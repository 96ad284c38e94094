"""What a model is told whose arguments are not a JSON object."""

import pytest

from powerloop.kernel.calls import CallStatus
from powerloop.tools import tool
from powerloop.tools.malformed import explain_malformed


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1 "b": 2}', 'Expecting \',\' delimiter at line 1, column 9, near `{"a": 1 ⟪here⟫"b": 2}`'),
        ('{"a": "never', 'Unterminated string starting at line 1, column 7, near `{"a": ⟪here⟫"never`'),
        ('{\n"a": nope}', "Expecting value at line 2, column 6"),
        ("{'a': 1}", "property name enclosed in double quotes at line 1, column 2"),
        ("x" * 9999, "near `⟪here⟫xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…`"),
        (" " * 99 + "x", "near `…" + " " * 30 + "⟪here⟫x`"),
        ("[1]", "are an array, not a JSON object"),
        ("null", "are null, not a JSON object"),
        ("[" * 100_000, "are nested too deeply"),
        ("", "Expecting value at line 1, column 1"),
    ],
)
def test_the_place_where_it_breaks_off_is_quoted(text, words):
    told = explain_malformed(text)

    assert words in told
    assert told.endswith("Nothing was run. Repeat the call with one valid JSON object as its arguments.")
    assert len(told) < 400


async def test_a_malformed_call_is_refused_before_anything_runs(run):
    ran = []

    @tool
    def note() -> None:
        ran.append(True)

    outcome = await run(note, malformed='{"a": ')

    assert outcome.status is CallStatus.FAILED
    assert "are not valid JSON: Expecting value" in outcome.text
    assert ran == []
