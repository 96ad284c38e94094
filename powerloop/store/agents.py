"""The directory of announced agents."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from powerloop.kernel.jsontypes import clean_text
from powerloop.store.columns import now
from powerloop.store.database import Database
from powerloop.store.schema import agents as table


class SqlAgents:
    """The `AgentDirectory` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def announce(self, agents: Sequence[tuple[str, str]]) -> None:
        models = {clean_text(name): clean_text(model) for name, model in agents}
        if not models:
            return
        insert = sqlite.insert if self._database.address.dialect == "sqlite" else postgresql.insert
        # In one order everywhere: workers that start together would otherwise wait for each other in a ring.
        rows = [{"name": name, "model": models[name], "announced_at": now()} for name in sorted(models)]
        added = insert(table).values(rows)
        await self._database.write(
            added.on_conflict_do_update(
                index_elements=[table.c.name],
                set_={"model": added.excluded.model, "announced_at": added.excluded.announced_at},
            )
        )

    async def names(self) -> frozenset[str]:
        return frozenset(await self.models())

    async def models(self) -> dict[str, str]:
        rows = await self._database.read(select(table.c.name, table.c.model))
        return {row["name"]: row["model"] for row in rows}
