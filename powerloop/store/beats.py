"""What beats know of each other, on any database: that one runs, and which of them leads."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import case, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from powerloop.kernel.jsontypes import clean_text
from powerloop.store.columns import after, now
from powerloop.store.database import Database
from powerloop.store.schema import beat_entries, beats

#: The name of the one row.
BEATS: Final = "beats"


class SqlBeats:
    """The `Beats` port. Each method is one statement."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = sqlite.insert if database.address.dialect == "sqlite" else postgresql.insert

    async def alive(self, patience: timedelta) -> datetime:
        first = self._insert(beats).values(name=BEATS, alive_at=now(), back_at=now(), leader="")
        # A clock that was set back must not have every tick be missed until it has caught up.
        was_away = or_(beats.c.alive_at < after(-patience), beats.c.back_at > now())
        told = first.on_conflict_do_update(
            index_elements=[beats.c.name],
            set_={"alive_at": now(), "back_at": case((was_away, now()), else_=beats.c.back_at)},
        )
        rows = await self._database.write(told.returning(beats.c.back_at))
        back_at: datetime = rows[0]["back_at"]
        return back_at

    async def silence(self) -> timedelta | None:
        its = select(beats.c.alive_at, now().label("now")).where(beats.c.name == BEATS)
        rows = await self._database.read(its)
        return rows[0]["now"] - rows[0]["alive_at"] if rows else None

    async def lead(self, holder: str, ttl: timedelta) -> bool:
        holder = clean_text(holder)
        free = or_(beats.c.leader == holder, beats.c.lead_until.is_(None), beats.c.lead_until < now())
        taken = update(beats).where(beats.c.name == BEATS, free)
        rows = await self._database.write(
            taken.values(leader=holder, lead_until=after(ttl)).returning(beats.c.name)
        )
        return bool(rows)

    async def resign(self, holder: str) -> None:
        its_own = update(beats).where(beats.c.name == BEATS, beats.c.leader == clean_text(holder))
        await self._database.write(its_own.values(leader="", lead_until=None))

    async def last_runs(self) -> dict[str, tuple[datetime, int]]:
        rows = await self._database.read(select(beat_entries))
        return {row["name"]: (row["last_run_at"], row["runs"]) for row in rows}

    async def ran(self, name: str, at: datetime, count: int) -> None:
        values = {"last_run_at": at, "runs": count}
        added = self._insert(beat_entries).values(name=clean_text(name), **values)
        await self._database.write(
            added.on_conflict_do_update(index_elements=[beat_entries.c.name], set_=values)
        )
