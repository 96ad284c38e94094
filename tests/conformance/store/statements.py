"""Statements behind the back of the store."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg


@contextmanager
def sql(url: str) -> Iterator[tuple[Callable[[str], Any], str]]:
    """What runs a statement on the database, and what goes before the names of its tables."""
    if not url.startswith("sqlite"):
        with psycopg.connect(url) as connection:
            yield connection.execute, "powerloop."
        return
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file, file:
        yield file.execute, ""
