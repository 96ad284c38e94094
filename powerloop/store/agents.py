"""The directory of announced agents."""

from collections.abc import Sequence
from operator import itemgetter

from sqlalchemy import or_, select
from sqlalchemy.dialects import postgresql, sqlite

from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.policies import Policy
from powerloop.kernel.ports.store import AnnouncedAgent
from powerloop.store.columns import now
from powerloop.store.database import Database
from powerloop.store.schema import agents as table


class SqlAgents:
    """The `AgentDirectory` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def announce(self, agents: Sequence[AnnouncedAgent]) -> None:
        by_name = {clean_text(agent.name): agent for agent in agents}
        if not by_name:
            return
        insert = sqlite.insert if self._database.address.dialect == "sqlite" else postgresql.insert
        # In one order everywhere: workers that start together would otherwise wait for each other in a ring.
        rows = [_row(name, agent) for name, agent in sorted(by_name.items(), key=itemgetter(0))]
        added = insert(table).values(rows)
        await self._database.write(
            added.on_conflict_do_update(
                index_elements=[table.c.name],
                set_={
                    **{name: added.excluded[name] for name in ("model", "policy", "announced_at")},
                    "asks_timers": or_(table.c.asks_timers, added.excluded["asks_timers"]),
                },
            )
        )

    async def names(self) -> frozenset[str]:
        return frozenset(await self.models())

    async def models(self) -> dict[str, str]:
        rows = await self._database.read(select(table.c.name, table.c.model))
        return {row["name"]: row["model"] for row in rows}

    async def policy_of(self, name: str) -> Policy | None:
        its = table.c.name == clean_text(name)
        rows = await self._database.read(select(table.c.policy).where(its))
        return Policy(rows[0]["policy"]) if rows else None


def _row(name: str, agent: AnnouncedAgent) -> dict[str, object]:
    return {
        "name": name,
        "model": clean_text(agent.model),
        "policy": agent.policy.value,
        "asks_timers": agent.asks_timers,
        "announced_at": now(),
    }
