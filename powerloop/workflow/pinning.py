"""Pinning: the stored workflows that a workflow names are put into it, so that a run of it is of one piece.

What is not sound in a node is left as it is: that is told where the result is parsed.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias, get_args

from powerloop.kernel.ports.workflow_specs import label_of
from powerloop.mending.schema import Path
from powerloop.mending.words import Problem, did_you_mean, given, listed
from powerloop.workflow.checks import MAX_NODES
from powerloop.workflow.outline import MAX_DEPTH
from powerloop.workflow.spec import Node

#: How many stored workflows may be in each other.
MAX_STORED_DEPTH: Final = 8

#: Where the metadata of a stored workflow say which one it was.
STORED: Final = "stored"

#: Which keys of each type of node hold other nodes.
_SLOTS: Final[Mapping[str, tuple[str, ...]]] = {
    model.model_fields["type"].default: model.children for model in get_args(get_args(Node)[0])
}
#: No node that may be there has a longer path: each comes to at most three steps (``cases[0].then``).
_LONGEST: Final = 3 * MAX_DEPTH + 1


class Found(NamedTuple):
    """A version of a stored workflow."""

    version: int
    spec: Mapping[str, Any]


#: The workflow of that name and version, the latest for `None`; `None` if there is none.
Find: TypeAlias = Callable[[str, int | None], Awaitable[Found | None]]
#: The names of all that are stored.
Names: TypeAlias = Callable[[], Awaitable[Collection[str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """A workflow with those that it names in it."""

    raw: Mapping[str, Any]
    #: Of the names; what they are about is left as it was.
    problems: tuple[Problem, ...]


def labelled(raw: Mapping[str, Any], written: str) -> Mapping[str, Any]:
    """The stored workflow, whose metadata say which one it is."""
    metadata = raw.get("metadata")
    return {**raw, "metadata": {**(metadata if isinstance(metadata, Mapping) else {}), STORED: written}}


async def pin(raw: Mapping[str, Any], find: Find, names: Names, *, top: str = "") -> Pinned:
    """Put in the spec of each stored workflow that a subflow names, and of those that they name.

    A name means the same version wherever it stands without one.

    Args:
        raw: The workflow, as it was read; sound or not.
        find: Looks for stored workflows; asked once for each.
        names: Of all that there are; asked where one is not found.
        top: The label of the workflow itself, if it is stored.
    """
    pinning = _Pinning(find, names, top)
    whole = await pinning.workflow(raw, (), ())
    return Pinned(raw=whole, problems=tuple(pinning.problems))


class _Pinning:
    """Walks a workflow, and those that it puts in, from the top."""

    def __init__(self, find: Find, names: Names, top: str) -> None:
        self._find = find
        self._names = names
        self._top = top
        self._found: dict[tuple[str, int | None], Found | None] = {}
        self._nodes = 0
        self._is_full = False
        self.problems: list[Problem] = []

    async def workflow(
        self, raw: Mapping[str, Any], path: Path, inside: tuple[str, ...]
    ) -> Mapping[str, Any]:
        """The workflow, pinned, which is `inside` the stored ones of these labels."""
        if "root" not in raw:
            return raw
        return {**raw, "root": await self._node(raw["root"], (*path, "root"), inside)}

    async def _node(self, raw: object, path: Path, inside: tuple[str, ...]) -> object:
        if not isinstance(raw, Mapping) or len(path) > _LONGEST:
            return raw
        self._nodes += 1
        node, kind = dict(raw), raw.get("type")
        for key in _SLOTS.get(kind, ()) if isinstance(kind, str) else ():
            if key in node:
                node[key] = await self._below(node[key], (*path, key), inside)
        fallback = node.get("on_error")
        if isinstance(fallback, Mapping):
            node["on_error"] = await self._within(fallback, "fallback", (*path, "on_error"), inside)
        return await self._subflow(node, path, inside) if kind == "subflow" else node

    async def _below(self, value: object, path: Path, inside: tuple[str, ...]) -> object:
        """The nodes of one key: one, a list, or the cases of a branch."""
        if not isinstance(value, list | tuple):
            return await self._node(value, path, inside)
        if path[-1] == "cases":
            return [
                await self._within(one, "then", (*path, index), inside) for index, one in enumerate(value)
            ]
        return [await self._node(one, (*path, index), inside) for index, one in enumerate(value)]

    async def _within(self, holder: object, key: str, path: Path, inside: tuple[str, ...]) -> object:
        """What is no node itself, but has one under this key."""
        if not isinstance(holder, Mapping) or key not in holder:
            return holder
        return {**holder, key: await self._node(holder[key], (*path, key), inside)}

    async def _subflow(self, node: dict[str, Any], path: Path, inside: tuple[str, ...]) -> object:
        spec, name, version = node.get("spec"), node.get("name"), node.get("version")
        if isinstance(spec, Mapping):
            return {**node, "spec": await self.workflow(spec, (*path, "spec"), inside)}
        if spec is not None or not (isinstance(name, str) and name) or not _is_version(version):
            return node
        found = await self._stored(name, version, path)
        if found is None:
            return node
        written = label_of(name, found.version)
        if (problem := self._refused(written, path, inside)) is not None:
            self.problems.append(problem)
        if problem is not None or self._is_full:
            return node
        kept = {key: value for key, value in node.items() if key not in ("name", "version")}
        within = labelled(found.spec, written)
        return {**kept, "spec": await self.workflow(within, (*path, "spec"), (*inside, written))}

    async def _stored(self, name: str, version: int | None, path: Path) -> Found | None:
        """The stored workflow; `None`, and a problem, if there is none."""
        found = await self._once(name, version)
        if found is None and version is not None and (latest := await self._once(name, None)) is not None:
            why = f"is no version of {given(name)}, {version}; the latest is {latest.version}"
            self.problems.append(Problem((*path, "version"), why))
        elif found is None:
            known = sorted(await self._names())
            nearest = did_you_mean(name, known) or f"the stored workflows are: {listed(known) or 'none'}"
            self.problems.append(
                Problem((*path, "name"), f"is no workflow that is stored, {given(name)}; {nearest}")
            )
        return found

    async def _once(self, name: str, version: int | None) -> Found | None:
        if (name, version) not in self._found:
            self._found[name, version] = await self._find(name, version)
        return self._found[name, version]

    def _refused(self, written: str, path: Path, inside: tuple[str, ...]) -> Problem | None:
        """Why this one is not put in there."""
        above = (*((self._top,) if self._top else ()), *inside)
        if written in above:
            ring = " → ".join([*above[above.index(written) :], written])
            return Problem((*path, "name"), f"names a workflow that it is in: {ring}")
        if len(inside) >= MAX_STORED_DEPTH:
            return Problem(
                (*path, "name"), f"is nested deeper than {MAX_STORED_DEPTH} stored workflows, in {inside[-1]}"
            )
        if self._nodes <= MAX_NODES or self._is_full:
            return None
        # Each may name many that name many: it is not waited until they are all there.
        self._is_full = True
        return Problem(("root",), f"has more than {MAX_NODES} nodes in the stored workflows that it names")


def _is_version(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 1)
