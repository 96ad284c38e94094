"""The promises of the store, checked on a live database: read-only, and in bounded time."""

from powerloop.store.fsck.checking import check_store

__all__ = ["check_store"]
