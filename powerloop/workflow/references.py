"""References: where a value comes from, as a spec writes it: ``node.path.to[0].key``."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from powerloop.mending.schema import Path

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_-]*"
_STEP: Final = re.compile(rf"\.({_NAME})|\[(\d+)\]|\[\"((?:[^\"\\]|\\.)*)\"\]")
_HEAD: Final = re.compile(_NAME)

#: What the run was started with.
INPUT: Final = "input"

#: That a reference leads nowhere; not `None`, which is a value.
NOTHING: Final = object()

FORM: Final = 'a name and, if need be, the way into its value: topics, plan.topics[0], plan["odd key"]'


@dataclass(frozen=True, slots=True)
class Reference:
    """A name that has a value, and the way to a part of that value."""

    #: ``input``, the id of a node, or what a foreach calls its item.
    name: str
    path: Path = ()

    def __str__(self) -> str:
        return self.name + "".join(
            f"[{step}]" if isinstance(step, int) else f".{step}" if _HEAD.fullmatch(step) else f'["{step}"]'
            for step in self.path
        )


def parse_reference(text: str) -> Reference:
    """The reference that is written so.

    Raises:
        ValueError: it is none; the message is the end of a sentence.
    """
    head = _HEAD.match(text)
    if head is None:
        raise ValueError(f"should be {FORM}")
    path: list[str | int] = []
    at = head.end()
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            raise ValueError(f"should be {FORM}; it goes wrong at {text[at:]!r}")
        name, index, quoted = step.groups()
        path.append(int(index) if index else name or re.sub(r"\\(.)", r"\1", quoted))
        at = step.end()
    return Reference(head.group(), tuple(path))


def resolve(reference: Reference, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    """The value that the reference leads to; `NOTHING` where there is none.

    Args:
        reference: Where to.
        values: What each name has.
    """
    value: Any = values.get(reference.name, NOTHING)
    for step in reference.path:
        value = _into(value, step)
    return value


def _into(value: Any, step: str | int) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(step, int):
        is_list = isinstance(value, Sequence) and not isinstance(value, str)
        return value[step] if is_list and step < len(value) else NOTHING
    return value[step] if isinstance(value, Mapping) and step in value else NOTHING
