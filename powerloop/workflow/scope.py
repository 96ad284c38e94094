"""Scope: which names have a value where they are used, and why the others have none."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from powerloop.mending.schema import Path
from powerloop.mending.words import Problem, did_you_mean, listed
from powerloop.workflow.conditions import Condition, references_of
from powerloop.workflow.outline import Outline
from powerloop.workflow.references import INPUT, Reference, parse_reference
from powerloop.workflow.templates import references_in, texts_in

_CONDITION: Final[TypeAdapter[Condition]] = TypeAdapter(Condition)

#: Which keys of a node hold a template, or a value with templates in it; one reference; a condition.
_TEMPLATES: Final = {
    "agent": ("input", "agent"),
    "human": ("prompt",),
    "tool": ("arguments",),
    "subflow": ("input",),
}
_REFERENCES: Final = {"foreach": ("items_from",), "branch": ("on",)}
_APART: Final = {"parallel": "runs at the same time", "branch": "is in another case"}
_HIDES: Final = {
    "foreach": "is in the body of a foreach, which has many of it",
    "loop": "is in the body of a loop",
    "branch": "is in a case of a branch, and may not have run",
    "subflow": "is in a workflow of its own",
}


def scope_problems(root: Outline) -> Iterator[Problem]:
    """Every reference that leads nowhere, with the reason."""
    everything = {node.id: node for node in _of_one_workflow(root) if node.id}
    yield from _Scope(everything).visit(root, frozenset({INPUT}))


def _of_one_workflow(root: Outline) -> Iterator[Outline]:
    """The nodes that share their names: not those of workflows inside."""
    yield root
    for child in root.children:
        if child.slot != "root":
            yield from _of_one_workflow(child)


class _Scope:
    """Visits nodes in the order in which they run, and knows which names have a value then."""

    def __init__(self, everything: Mapping[str, Outline]) -> None:
        self._everything = everything
        #: The names that have a value after each node that was visited.
        self._after: frozenset[str] = frozenset()

    def visit(self, node: Outline, known: frozenset[str]) -> Iterator[Problem]:
        """The problems of the node and of all below it, where `known` have values."""
        yield from self._own(node, known)
        yield from self._below(node, known)
        own = frozenset({node.id}) if node.id else frozenset[str]()
        # What is in it may not have run, or may have failed.
        is_sure = node.raw.get("when") is None and node.raw.get("on_error", "halt") == "halt"
        self._after = own | (
            self._after if is_sure and node.kind in ("sequence", "parallel") else frozenset()
        )

    def _below(self, node: Outline, known: frozenset[str]) -> Iterator[Problem]:
        inner, exported = known, frozenset[str]()
        name = node.raw.get("as")
        if node.kind == "foreach" and isinstance(name, str):
            inner = known | {name}
        for child in node.children:
            if child.slot == "root":
                yield from scope_problems(child)
                continue
            yield from self.visit(child, known if child.slot == "fallback" else inner)
            if child.slot == "fallback":
                continue
            exported |= self._after
            if node.kind == "sequence":
                inner |= self._after
        if node.kind == "loop":
            yield from self._condition(node, "until", known | exported)
        self._after = (
            exported if node.kind == "sequence" or node.raw.get("join", "all") == "all" else frozenset()
        )

    def _own(self, node: Outline, known: frozenset[str]) -> Iterator[Problem]:
        """What the node itself refers to."""
        raw = node.raw
        yield from self._condition(node, "when", known)
        for key in _REFERENCES.get(node.kind, ()):
            if isinstance(text := raw.get(key), str):
                yield from self._reference(node, (key,), text, known)
        for key in _TEMPLATES.get(node.kind, ()):
            yield from self._templates(node, key, known)
        sources = raw.get("inputs_from")
        for index, name in enumerate(sources if isinstance(sources, list | tuple) else ()):
            if isinstance(name, str):
                yield from self._name(node, ("inputs_from", index), Reference(name), known)

    def _templates(self, node: Outline, key: str, known: frozenset[str]) -> Iterator[Problem]:
        value: Any = node.raw.get(key)
        if key == "agent":
            # The name of an agent is no template; the instructions of a variation are one.
            value = value.get("instructions") if isinstance(value, Mapping) else None
            path: Path = ("agent", "instructions")
        else:
            path = (key,)
        for text in texts_in(value):
            try:
                references = list(references_in(text))
            except ValueError as error:
                yield Problem((*node.path, *path), str(error))
                continue
            for reference in references:
                yield from self._name(node, path, reference, known)

    def _reference(self, node: Outline, path: Path, text: str, known: frozenset[str]) -> Iterator[Problem]:
        try:
            reference = parse_reference(text)
        except ValueError:
            return  # told with the shape of the node
        yield from self._name(node, path, reference, known)

    def _condition(self, node: Outline, key: str, known: frozenset[str]) -> Iterator[Problem]:
        if node.raw.get(key) is None:
            return
        try:
            condition = _CONDITION.validate_python(node.raw[key])
        except ValidationError:
            return  # told with the shape of the node
        for reference in references_of(condition):
            yield from self._name(node, (key,), reference, known)

    def _name(
        self, node: Outline, path: Path, reference: Reference, known: frozenset[str]
    ) -> Iterator[Problem]:
        name = reference.name
        if name in known:
            return
        target = self._everything.get(name)
        if target is None:
            nearest = did_you_mean(name, known) or f"here there are: {listed(sorted(known))}"
            why = f"refers to {name!r}, which there is not; {nearest}"
        else:
            why = f"refers to {name!r}, which {_why_not(node, target)}"
        yield Problem((*node.path, *path), why)


def _why_not(node: Outline, target: Outline) -> str:
    """Why the target has no value where the node runs, as the end of a sentence."""
    above, down = list(node.ancestors()), list(target.ancestors())
    if target in above:
        return "is the node itself" if target is node else "is the node that this one is in"
    common = next(one for one in down if one in above)
    mine, theirs = _child_towards(common, above), _child_towards(common, down)
    if "fallback" in (mine.slot, theirs.slot):
        return "runs only where the other fails" if theirs.slot == "fallback" else "has failed then"
    if common.kind == "sequence" and common.children.index(theirs) > common.children.index(mine):
        return "runs later"
    return _APART.get(common.kind) or _hidden(down[: down.index(common)])


def _hidden(down: list[Outline]) -> str:
    """Why what is this far down in something that has run is not to be seen from outside."""
    for one in reversed(down[1:]):
        if one.kind in _HIDES:
            return f"{_HIDES[one.kind]}; refer to {_by_id(one)} instead"
    return "may not have run to its end by then; refer to what it is in, by an id"


def _child_towards(common: Outline, chain: list[Outline]) -> Outline:
    """The child of `common` that the chain, from a node up to the root, goes through."""
    return next(lower for lower, upper in pairwise(chain) if upper is common)


def _by_id(node: Outline) -> str:
    return repr(node.id) if node.id else f"the {node.kind}, by an id that you give it,"
