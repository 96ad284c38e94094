"""Workflows that are stored by name. What is stored is never changed: each change of one is a version."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

MAX_NAME_LENGTH: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWorkflow:
    """One version of a stored workflow."""

    name: str
    #: From 1.
    version: int
    #: As it was saved: stored workflows that it names are not in it.
    spec: Mapping[str, Any]
    #: Of the spec: equal ones have the same.
    digest: str
    #: What was said of it when it was saved; may be empty.
    note: str
    created_at: datetime

    @property
    def label(self) -> str:
        """By which this version is run: ``name@version``."""
        return label_of(self.name, self.version)


def label_of(name: str, version: int) -> str:
    """How people write a version of a stored workflow."""
    return f"{name}@{version}"


def digest_of(spec: Mapping[str, Any]) -> str:
    """The digest of a spec, whatever the order of its keys: SHA-256, in hexadecimal."""
    canonical = json.dumps(spec, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


class WorkflowSpecs(Protocol):
    """Stored workflows. Each method is one transaction, and may raise `StoreUnavailable`."""

    async def save(self, name: str, spec: Mapping[str, Any], *, note: str = "") -> StoredWorkflow:
        """Write the next version of the name, or return the latest where that has an equal spec.

        Of calls at once with different specs, each gets a version of its own.
        """
        ...

    async def find(self, name: str, version: int | None = None) -> StoredWorkflow | None:
        """That version, the latest for `None`; `None` if there is no such."""
        ...

    async def list(self, *, name: str | None = None, limit: int = 100) -> Sequence[StoredWorkflow]:
        """The latest version of each name, latest saved first (ties by name).

        Args:
            name: Every version of this one instead, latest first.
            limit: At most so many.
        """
        ...

    async def names(self) -> frozenset[str]:
        """Every name that has a version."""
        ...
