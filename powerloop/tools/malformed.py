"""What to tell a model whose arguments are not a JSON object."""

import json

_AROUND = 30
_REPEAT = "Repeat the call with one valid JSON object as its arguments."
_KINDS = {
    list: "an array",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
}


def explain_malformed(text: str) -> str:
    """Where the JSON breaks off, with the text around it, and what to do.

    Args:
        text: What the model wrote as arguments.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        what = error.msg.removesuffix(" at")
        problem = f"are not valid JSON: {what} at {where}, near {_around(text, error.pos)}"
    except RecursionError:
        problem = "are nested too deeply"
    else:
        problem = f"are {_KINDS.get(type(value), 'something else')}, not a JSON object"
    return f"The arguments {problem}. Nothing was run. {_REPEAT}"


def _around(text: str, position: int) -> str:
    """The text around the position, with a mark at it."""
    start, end = max(0, position - _AROUND), position + _AROUND
    before, after = text[start:position], text[position:end]
    return f"`{'…' if start else ''}{before}⟪here⟫{after}{'…' if end < len(text) else ''}`"
