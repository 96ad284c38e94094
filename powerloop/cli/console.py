"""What commands print: tables and sentences for people, JSON for programs."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime, timedelta
from typing import IO, Annotated, Any, Self

import typer
from rich.console import Console as RichConsole
from rich.table import Table
from rich.text import Text

from powerloop.kernel.errors import PowerLoopError

#: The option that every command takes.
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one value per line, for programs.")]


_PIPE_WIDTH = 240


class Console:
    """Prints to one stream, for people or for programs."""

    def __init__(self, stream: IO[str], *, as_json: bool) -> None:
        self.as_json = as_json
        # A pipe has no width: nothing is cut for it.
        width = None if stream.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
        self.rich = RichConsole(file=stream, highlight=False, width=width)

    @classmethod
    def output(cls, as_json: bool) -> Self:
        """Standard output."""
        return cls(sys.stdout, as_json=as_json)

    @classmethod
    def errors(cls) -> Self:
        """Standard error; never JSON."""
        return cls(sys.stderr, as_json=False)

    def say(self, text: str, style: str = "") -> None:
        """A sentence, for people only. Markup in it means nothing."""
        if not self.as_json:
            self.rich.print(Text(text, style=style))

    def write(self, text: str) -> None:
        """A piece of a line, at once, for people only."""
        if not self.as_json:
            self.rich.print(Text(text), end="")

    def value(self, value: object) -> None:
        """One JSON line, for programs only."""
        if self.as_json:
            self.rich.file.write(json.dumps(jsonable(value), ensure_ascii=False) + "\n")
            self.rich.file.flush()

    def rows(self, columns: Sequence[str], rows: Sequence[Mapping[str, object]], *, empty: str) -> None:
        """A table of the named columns for people; a JSON line per row for programs."""
        if self.as_json:
            for row in rows:
                self.value(row)
            return
        if not rows:
            self.say(empty, style="dim")
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            # An id that is cut cannot be copied.
            table.add_column(column, no_wrap=column == "id", overflow="fold")
        for row in rows:
            table.add_row(*(Text(shown(row.get(column))) for column in columns))
        self.rich.print(table)

    def record(self, fields: Mapping[str, object]) -> None:
        """One thing: a name and a value per line for people, a JSON line for programs."""
        if self.as_json:
            self.value(fields)
            return
        table = Table(box=None, pad_edge=False, show_header=False)
        for name, value in fields.items():
            table.add_row(Text(name, style="bold"), Text(shown(value)))
        self.rich.print(table)

    def error(self, error: PowerLoopError) -> None:
        """An error in words: its code, what is wrong, what to do."""
        self.rich.print(Text.assemble((f"{error.code}: ", "bold red"), error.message))
        if error.hint:
            self.rich.print(Text(error.hint, style="yellow"))


def shown(value: object) -> str:
    """A value as a cell of a table."""
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        case Mapping() | list() | tuple():
            return json.dumps(jsonable(value), ensure_ascii=False) if value else "-"
        case _ if is_dataclass(value):
            return json.dumps(jsonable(value), ensure_ascii=False)
        case _:
            return str(value)


def jsonable(value: object) -> Any:  # noqa: ANN401 - JSON
    """A value as JSON: nouns as objects, instants in ISO 8601, spans in seconds."""
    match value:
        case datetime():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Mapping():
            return {str(key): jsonable(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [jsonable(item) for item in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return jsonable(asdict(value))
        case _:
            return value
