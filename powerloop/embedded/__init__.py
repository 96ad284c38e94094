"""The embedded stack: a real Postgres and a real Redis, run by us, for development and tests."""

from powerloop.embedded.lines import FileLines, TerminalLines
from powerloop.embedded.postgres import PostgresServer
from powerloop.embedded.processes import Ended, ProcessGroup, Supervised
from powerloop.embedded.redis import RedisServer
from powerloop.embedded.stack import EmbeddedStack, StackInfo, find_stack

__all__ = [
    "EmbeddedStack",
    "Ended",
    "FileLines",
    "PostgresServer",
    "ProcessGroup",
    "RedisServer",
    "StackInfo",
    "Supervised",
    "TerminalLines",
    "find_stack",
]
