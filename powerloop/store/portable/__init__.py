"""The hot statements in SQLAlchemy Core, each in a transaction: on any database, in several round trips."""

from powerloop.store.portable.acceptance import PortableAcceptance
from powerloop.store.portable.journal import PortableJournal

__all__ = ["PortableAcceptance", "PortableJournal"]
