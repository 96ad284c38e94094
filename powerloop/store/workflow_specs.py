"""Workflows that are stored by name, on any database."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import func, insert, select

from powerloop.kernel.errors import RowRefused
from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.ports.workflow_specs import StoredWorkflow, digest_of
from powerloop.store.columns import now
from powerloop.store.database import Database, Row
from powerloop.store.encoding import cleaned, decode
from powerloop.store.schema import workflow_specs as table

_SAME_VERSION: Final = "pk_workflow_specs"
#: The column holds no greater one.
_MAX_VERSION: Final = 2**31 - 1


class SqlWorkflowSpecs:
    """The `WorkflowSpecs` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, name: str, spec: Mapping[str, Any], *, note: str = "") -> StoredWorkflow:
        kept = cleaned(dict(spec))
        row = {
            "name": clean_text(name),
            "spec": kept,
            "digest": digest_of(kept),
            "note": clean_text(note),
        }
        # Each refusal is a version that another one has written: somebody gets on.
        while True:
            try:
                return await self._save(row)
            except RowRefused as refused:
                if refused.constraint != _SAME_VERSION:
                    raise

    async def _save(self, row: Row) -> StoredWorkflow:
        async with self._database.transaction() as run:
            versions = select(table).where(table.c.name == row["name"])
            latest = await run(versions.order_by(table.c.version.desc()).limit(1))
            if latest and latest[0]["digest"] == row["digest"]:
                return _stored(latest[0])
            version = latest[0]["version"] + 1 if latest else 1
            new = insert(table).values(**row, version=version, created_at=now())
            return _stored((await run(new.returning(table)))[0])

    async def find(self, name: str, version: int | None = None) -> StoredWorkflow | None:
        query = select(table).where(table.c.name == clean_text(name))
        if version is not None:
            if not 1 <= version <= _MAX_VERSION:
                return None
            query = query.where(table.c.version == version)
        rows = await self._database.read(query.order_by(table.c.version.desc()).limit(1))
        return _stored(rows[0]) if rows else None

    async def list(self, *, name: str | None = None, limit: int = 100) -> Sequence[StoredWorkflow]:
        if name is not None:
            query = select(table).where(table.c.name == clean_text(name)).order_by(table.c.version.desc())
        else:
            newest = select(table.c.name, func.max(table.c.version).label("version")).group_by(table.c.name)
            latest = newest.subquery()
            query = select(table).join(
                latest, (latest.c.name == table.c.name) & (latest.c.version == table.c.version)
            )
            query = query.order_by(table.c.created_at.desc(), table.c.name)
        return [_stored(row) for row in await self._database.read(query.limit(limit))]

    async def names(self) -> frozenset[str]:
        rows = await self._database.read(select(table.c.name).distinct())
        return frozenset(row["name"] for row in rows)


def _stored(row: Row) -> StoredWorkflow:
    return StoredWorkflow(
        name=row["name"],
        version=row["version"],
        spec=decode(row["spec"]),
        digest=row["digest"],
        note=row["note"],
        created_at=row["created_at"],
    )
