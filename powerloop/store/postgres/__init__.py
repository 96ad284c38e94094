"""The hot statements on Postgres: each one is one ``.sql`` file and one round trip, committed by itself."""

from powerloop.store.postgres.acceptance import PostgresAcceptance
from powerloop.store.postgres.journal import PostgresJournal

__all__ = ["PostgresAcceptance", "PostgresJournal"]
