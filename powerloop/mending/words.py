"""The words that help a model, or an author, to mend what does not fit."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from powerloop.mending.schema import Node, Path, keys_at

MAX_PROBLEMS = 10
MAX_VALUE_LENGTH = 80
MAX_PATH_LENGTH = 120
#: Of what is wrong, without what was given instead and what is near to it.
MAX_MESSAGE_LENGTH = 200
#: Of all three.
MAX_PROBLEM_LENGTH = 400
MAX_KEYS = 40


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with the arguments of a call."""

    #: Where, from the top of the arguments.
    path: Path
    #: What, as the end of a sentence that begins with the place.
    text: str


def explain(problems: Sequence[Problem], schema: Node) -> str:
    """The problems as text for the model, those near the top first, and the arguments that there are."""
    shown = sorted(dict.fromkeys(problems), key=lambda problem: len(problem.path))
    lines = [
        f"- {place(problem.path)} {clip(problem.text, MAX_PROBLEM_LENGTH)}"
        for problem in shown[:MAX_PROBLEMS]
    ]
    if len(shown) > MAX_PROBLEMS:
        lines.append(f"- and {len(shown) - MAX_PROBLEMS} more problems")
    return "\n".join(
        [
            "The arguments do not fit, so nothing was run:",
            *lines,
            _arguments(schema),
            "Correct the arguments and call the tool again.",
        ]
    )


def place(path: Path) -> str:
    """The path as it would be written in code: ``items[2].size``."""
    written = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
    return clip(written, MAX_PATH_LENGTH) or "the value"


def given(value: object) -> str:
    """The value as JSON, cut short."""
    return clip(json.dumps(value, ensure_ascii=False, default=str), MAX_VALUE_LENGTH)


def unknown_key(name: str, known: Sequence[str], *, top: bool) -> str:
    """What is wrong with a key that is not known, as the text of a problem."""
    what = "is not an argument of this tool" if top else "is not known here"
    if suggestion := did_you_mean(name, known):
        return f"{what}; {suggestion}"
    return what if top or not known else f"{what}; the keys are: {listed(known)}"


def did_you_mean(name: object, known: Iterable[object]) -> str:
    """A suggestion of the known word that is nearest to `name`, case apart; empty if none is near."""
    words = {word.lower(): word for word in known if isinstance(word, str)}
    close = get_close_matches(name.lower(), words, n=1) if isinstance(name, str) else []
    return f"did you mean {words[close[0]]!r}?" if close else ""


def listed(words: Sequence[str]) -> str:
    """The words, separated by commas; many are cut short."""
    more = f" and {len(words) - MAX_KEYS} more" if len(words) > MAX_KEYS else ""
    return ", ".join(clip(word, MAX_VALUE_LENGTH) for word in words[:MAX_KEYS]) + more


def clip(text: str, length: int) -> str:
    """The text, its end replaced by an ellipsis where it is longer than `length`."""
    return text if len(text) <= length else text[: length - 1] + "…"


def _arguments(schema: Node) -> str:
    required = tuple(schema.get("required", ()))
    optional = [key for key in keys_at(schema) if key not in required]
    words = [*(f"{key} (required)" for key in required), *optional]
    return f"Its arguments are: {listed(words)}." if words else "It takes no arguments."
