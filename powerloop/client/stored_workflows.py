"""The verbs of stored workflows, and what a run is made of: a workflow with those that it names in it."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from powerloop.client.verbs import Verbs
from powerloop.kernel.errors import InvalidInput, WorkflowInvalid, WorkflowNotFound
from powerloop.kernel.ports.store import Store
from powerloop.kernel.ports.workflow_specs import MAX_NAME_LENGTH, StoredWorkflow, WorkflowSpecs, label_of
from powerloop.mending.words import clip, place
from powerloop.workflow.pinning import Find, Found, labelled, pin
from powerloop.workflow.spec import WorkflowSpec

#: What a version may have.
_DIGITS: Final = 9


class StoredWorkflowVerbs(Verbs):
    """What a producer does with workflows that are stored by name."""

    async def save_workflow(
        self,
        spec: WorkflowSpec | Mapping[str, Any] | str,
        *,
        name: str | None = None,
        note: str = "",
    ) -> StoredWorkflow:
        """Store a workflow as the next version of its name. Runs of earlier versions go on with those.

        Saving once more what the latest version has is that version, and writes nothing.

        Args:
            spec: A spec, or JSON of one. Stored workflows that it names are looked up now, and anew when a
                run of it starts.
            name: Its name from now on; its own unless given. It has no ``@``, and does not begin with ``{``.
            note: What is to be said of this version, for the eyes of people.

        Raises:
            WorkflowInvalid: the workflow has problems; all of them are told, as `start_workflow` does.
            InvalidInput: the name is none by which a workflow can be started.
        """
        store, raw = self._backend.store, _read(spec)
        if name is not None:
            raw = {**raw, "name": _checked_name(name)}
        await _checked_as_next(store, raw)
        saved = WorkflowSpec.parse(raw)
        return await store.workflow_specs.save(_checked_name(saved.name), saved.to_json(), note=note)

    async def get_workflow(self, name: str, version: int | None = None) -> StoredWorkflow:
        """A stored workflow.

        Args:
            name: Its name, or ``name@version``.
            version: Which one; the latest unless given.

        Raises:
            WorkflowNotFound: there is none of that name, or it has no such version.
        """
        specs = self._backend.store.workflow_specs
        return await _get(specs, *_named(name)) if version is None else await _get(specs, name, version)

    async def list_workflows(self, name: str | None = None, *, limit: int = 100) -> Sequence[StoredWorkflow]:
        """The latest version of each stored workflow, latest saved first.

        Args:
            name: Every version of this one instead, latest first.
            limit: At most so many.
        """
        return await self._backend.store.workflow_specs.list(name=name, limit=limit)


async def runnable(store: Store, workflow: WorkflowSpec | Mapping[str, Any] | str) -> WorkflowSpec:
    """The workflow as it is to be run: its agents are known, and what it names is in it.

    Raises:
        WorkflowInvalid: it has problems; all of them are told.
        WorkflowNotFound: it is a name, and nothing is stored under that.
    """
    find = _finder(store.workflow_specs)
    if isinstance(workflow, str) and not workflow.lstrip().startswith("{"):
        stored = await _get(store.workflow_specs, *_named(workflow))
        return await _parsed(store, labelled(stored.spec, stored.label), find, stored.label)
    return await _parsed(store, _read(workflow), find)


async def _checked_as_next(store: Store, raw: Mapping[str, Any]) -> None:
    """Check the workflow as the next version of its name, so that it cannot be in itself.

    Raises:
        WorkflowInvalid: it has problems; all of them are told.
    """
    own, finder = raw.get("name"), _finder(store.workflow_specs)
    if not isinstance(own, str):
        await _parsed(store, raw, finder)
        return
    latest = await finder(own, None)
    version = 1 if latest is None else latest.version + 1

    async def find(name: str, wanted: int | None) -> Found | None:
        if name == own and wanted in (None, version):
            return Found(version, raw)
        return await finder(name, wanted)

    await _parsed(store, raw, find, label_of(own, version))


async def _parsed(store: Store, raw: Mapping[str, Any], find: Find, top: str = "") -> WorkflowSpec:
    """The workflow with those that it names in it.

    Raises:
        WorkflowInvalid: it has problems; all of them are told.
    """
    pinned = await pin(raw, find, store.workflow_specs.names, top=top)
    told = [f"{place(problem.path)}: {problem.text}" for problem in pinned.problems]
    known = dict.fromkeys(await store.agents.names())
    try:
        spec = WorkflowSpec.parse(pinned.raw, agents=known or None)
    except WorkflowInvalid as invalid:
        raise WorkflowInvalid([*invalid.problems, *told]) from invalid
    if told:
        raise WorkflowInvalid(told)
    return spec


def _read(workflow: WorkflowSpec | Mapping[str, Any] | str) -> Mapping[str, Any]:
    """The object that the workflow is written as.

    Raises:
        WorkflowInvalid: it is none.
    """
    if isinstance(workflow, WorkflowSpec):
        return workflow.to_json()
    raw: Any = workflow
    if isinstance(workflow, str):
        with suppress(ValueError, RecursionError):
            raw = json.loads(workflow)
    # What is no object is refused, in words, by the parser.
    return raw if isinstance(raw, Mapping) else WorkflowSpec.parse(workflow).to_json()


def _finder(specs: WorkflowSpecs) -> Find:
    async def find(name: str, version: int | None) -> Found | None:
        stored = await specs.find(name, version)
        return None if stored is None else Found(stored.version, stored.spec)

    return find


async def _get(specs: WorkflowSpecs, name: str, version: int | None) -> StoredWorkflow:
    """The stored workflow.

    Raises:
        WorkflowNotFound: there is none.
    """
    stored = await specs.find(name, version)
    if stored is None:
        raise WorkflowNotFound(clip(name, MAX_NAME_LENGTH), await specs.names(), version=version)
    return stored


def _named(text: str) -> tuple[str, int | None]:
    """The name and the version of what is written as ``name`` or ``name@version``."""
    name, at, version = text.rpartition("@")
    if at and version.isascii() and version.isdecimal() and len(version) <= _DIGITS:
        return name, int(version)
    return text, None


def _checked_name(name: str) -> str:
    """The name, if a workflow can be stored under it, and started by it.

    Raises:
        InvalidInput: it cannot.
    """
    is_plain = name.isprintable() and name == name.strip() and "@" not in name and not name.startswith("{")
    if not is_plain or not 1 <= len(name) <= MAX_NAME_LENGTH:
        raise InvalidInput(
            f"{clip(name, MAX_NAME_LENGTH)!r} is no name that a workflow can be stored under.",
            hint=f"It has 1 to {MAX_NAME_LENGTH} characters, no @, and no {{ or space at its beginning.",
        )
    return name
