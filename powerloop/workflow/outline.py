"""The outline of a workflow: its tree as it is written, problems or not, so that all of them can be told.

Each node is held against its model by itself, with sound nodes standing in for those in it: what is wrong
with one hides nothing of the others.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Protocol

from pydantic import BaseModel, ValidationError

from powerloop.mending.schema import Path
from powerloop.mending.typed_problems import problems_of
from powerloop.mending.words import Problem, did_you_mean, given, listed

#: Deeper is not looked: recursion ends somewhere.
MAX_DEPTH: Final = 32

_STAND_IN: Final = {"type": "wait", "seconds": 1.0}
_WORKFLOW_STAND_IN: Final = {"name": "x", "root": _STAND_IN}


class Models(Protocol):
    """The models that a workflow is held against."""

    @property
    def workflow(self) -> type[BaseModel]:
        """Of a workflow."""
        ...

    @property
    def nodes(self) -> Mapping[str, type[BaseModel]]:
        """Of each type of node."""
        ...

    def slots(self, kind: str) -> Sequence[str]:
        """The keys of this type of node that hold other nodes: alone, in a list, or as cases."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A node as it is written."""

    #: From the top of the workflow.
    path: Path
    #: Its type; empty where it has none that is known.
    kind: str
    raw: Mapping[str, Any]
    parent: "Outline | None"
    #: Where in its parent it stands: ``steps``, ``fallback``; empty at the top.
    slot: str
    children: list["Outline"] = field(default_factory=list)

    @property
    def id(self) -> str | None:
        """Its id, if it is given one."""
        name = self.raw.get("id")
        return name if isinstance(name, str) and name else None

    def walk(self) -> Iterator["Outline"]:
        """It and all below it, the upper before the lower, in the order in which they are written."""
        yield self
        for child in self.children:
            yield from child.walk()

    def ancestors(self) -> Iterator["Outline"]:
        """It and all above it, itself first."""
        here: Outline | None = self
        while here is not None:
            yield here
            here = here.parent


class Outliner:
    """Draws outlines, and collects what is wrong with each part by itself."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self.problems: list[Problem] = []

    def workflow(
        self, raw: Mapping[str, Any], path: Path = (), parent: Outline | None = None
    ) -> Outline | None:
        """The root of a workflow; `None` if it has none."""
        self._hold(self._models.workflow, raw, {**raw, "root": _STAND_IN} if "root" in raw else raw, path)
        return self.node(raw["root"], (*path, "root"), parent, "root") if "root" in raw else None

    def node(self, raw: object, path: Path, parent: Outline | None, slot: str) -> Outline | None:
        """The node, and all below it; `None` if it is no object."""
        if not isinstance(raw, Mapping):
            self.problems.append(Problem(path, f"should be a node, an object with a type, not {given(raw)}"))
            return None
        kind = self._kind(raw, path)
        outline = Outline(path=path, kind=kind, raw=raw, parent=parent, slot=slot)
        if not kind:
            return outline
        if sum(1 for _ in outline.ancestors()) > MAX_DEPTH:
            self.problems.append(Problem(path, f"is nested deeper than {MAX_DEPTH} nodes"))
            return outline
        sound = dict(raw)
        for key in self._models.slots(kind):
            if raw.get(key) is not None:
                sound[key] = self._below(outline, raw[key], key)
        if isinstance(raw.get("on_error"), Mapping):
            sound["on_error"] = self._fallback(outline, raw["on_error"])
        if isinstance(raw.get("spec"), Mapping) and kind == "subflow":
            self._add(outline, self.workflow(raw["spec"], (*path, "spec"), outline))
            sound["spec"] = _WORKFLOW_STAND_IN
        self._hold(self._models.nodes[kind], raw, sound, path)
        return outline

    def _kind(self, raw: Mapping[str, Any], path: Path) -> str:
        kind, known = raw.get("type"), tuple(self._models.nodes)
        if isinstance(kind, str) and kind in known:
            return kind
        if kind is None:
            self.problems.append(Problem((*path, "type"), f"is missing; the types are: {listed(known)}"))
        else:
            nearest = did_you_mean(kind, known) or f"the types are: {listed(known)}"
            self.problems.append(Problem((*path, "type"), f"is no type of node, {given(kind)}; {nearest}"))
        return ""

    def _below(self, outline: Outline, value: object, key: str) -> object:
        """Outline the nodes of one key; what stands in for its value."""
        if not isinstance(value, list | tuple):
            self._add(outline, self.node(value, (*outline.path, key), outline, key))
            return _STAND_IN
        return [self._item(outline, item, key, index) for index, item in enumerate(value)]

    def _item(self, outline: Outline, item: object, key: str, index: int) -> object:
        path: Path = (*outline.path, key, index)
        if key != "cases":
            self._add(outline, self.node(item, path, outline, key))
            return _STAND_IN
        if not isinstance(item, Mapping) or "then" not in item:
            return item
        self._add(outline, self.node(item["then"], (*path, "then"), outline, key))
        return {**item, "then": _STAND_IN}

    def _fallback(self, outline: Outline, raw: Mapping[str, Any]) -> object:
        if "fallback" not in raw:
            return raw
        path = (*outline.path, "on_error", "fallback")
        self._add(outline, self.node(raw["fallback"], path, outline, "fallback"))
        return {**raw, "fallback": _STAND_IN}

    @staticmethod
    def _add(outline: Outline, child: Outline | None) -> None:
        if child is not None:
            outline.children.append(child)

    def _hold(
        self, model: type[BaseModel], raw: Mapping[str, Any], sound: Mapping[str, Any], path: Path
    ) -> None:
        try:
            model.model_validate(sound)
        except ValidationError as error:
            found = problems_of(error, raw, _schema(model), arguments=False)
            self.problems += [Problem((*path, *problem.path), problem.text) for problem in found]


@cache
def _schema(model: type[BaseModel]) -> Mapping[str, Any]:
    return model.model_json_schema()
