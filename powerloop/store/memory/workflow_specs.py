"""Workflows that are stored by name, in memory."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from operator import attrgetter
from typing import Any

from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.ports.workflow_specs import StoredWorkflow, digest_of
from powerloop.store.encoding import cleaned
from powerloop.store.memory.state import State


class MemoryWorkflowSpecs:
    """The `WorkflowSpecs` port over `State`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def save(self, name: str, spec: Mapping[str, Any], *, note: str = "") -> StoredWorkflow:
        kept, name = cleaned(dict(spec)), clean_text(name)
        versions = self._state.workflow_specs.setdefault(name, [])
        digest = digest_of(kept)
        if not versions or versions[-1].digest != digest:
            versions.append(
                StoredWorkflow(
                    name=name,
                    version=len(versions) + 1,
                    spec=kept,
                    digest=digest,
                    note=clean_text(note),
                    created_at=self._state.clock.now(),
                )
            )
        return _copied(versions[-1])

    async def find(self, name: str, version: int | None = None) -> StoredWorkflow | None:
        versions = self._state.workflow_specs.get(clean_text(name), [])
        number = len(versions) if version is None else version
        return _copied(versions[number - 1]) if 1 <= number <= len(versions) else None

    async def list(self, *, name: str | None = None, limit: int = 100) -> Sequence[StoredWorkflow]:
        everything = self._state.workflow_specs
        if name is not None:
            found = everything.get(clean_text(name), [])[::-1]
        else:
            by_name = sorted((versions[-1] for versions in everything.values()), key=attrgetter("name"))
            found = sorted(by_name, key=attrgetter("created_at"), reverse=True)
        return [_copied(one) for one in found[:limit]]

    async def names(self) -> frozenset[str]:
        return frozenset(self._state.workflow_specs)


def _copied(stored: StoredWorkflow) -> StoredWorkflow:
    """The same, whose spec is the reader's own, as one that was read from a database is."""
    return replace(stored, spec=deepcopy(stored.spec))
