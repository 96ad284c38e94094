"""Everything durable, in Postgres or SQLite: sessions, sends, the journal, leases. The only room with SQL."""

from powerloop.store.leases import SqlLeases, open_leases
from powerloop.store.store import SqlStore, open_store

__all__ = ["SqlLeases", "SqlStore", "open_leases", "open_store"]
