"""The store's double: everything in one process's memory, with the behaviour of the real one."""

from powerloop.store.memory.leases import MemoryLeases
from powerloop.store.memory.store import MemoryStore

__all__ = ["MemoryLeases", "MemoryStore"]
