"""Where the output of supervised processes goes, line by line: the terminal, or a file for each."""

import threading
from itertools import cycle
from pathlib import Path
from typing import Final, Protocol

from rich.console import Console
from rich.text import Text

_COLOURS: Final = ("cyan", "magenta", "green", "yellow", "blue", "bright_red")
_KEPT_BYTES: Final = 20_000_000


class Lines(Protocol):
    """Takes lines from several threads."""

    def write(self, name: str, line: str) -> None:
        """Take one line, without its end, of the process `name`."""
        ...


class TerminalLines:
    """Prints each line behind the name of its process, in a colour of its own if the terminal has colours."""

    def __init__(self, console: Console | None = None, width: int = 10) -> None:
        """
        Args:
            console: Where to print; by default standard output.
            width: The column of names is this wide, in characters.
        """
        self._console = console or Console()
        self._width = width
        self._palette = cycle(_COLOURS)
        self._colours: dict[str, str] = {}
        self._lock = threading.Lock()

    def write(self, name: str, line: str) -> None:
        with self._lock:
            if name not in self._colours:
                self._colours[name] = next(self._palette)
            prefix = Text(f"{name:<{self._width}} | ", style=self._colours[name])
            self._console.print(prefix + Text.from_ansi(line), soft_wrap=True)


class FileLines:
    """Appends each line to ``<name>.log`` in a folder. A file that was left long is begun anew."""

    def __init__(self, folder: Path) -> None:
        """
        Args:
            folder: Where the files are; made if need be.
        """
        self._folder = folder
        self._begun: set[str] = set()
        self._lock = threading.Lock()

    def write(self, name: str, line: str) -> None:
        with self._lock:
            if name not in self._begun:
                self._begin(name)
            with self.path_of(name).open("a") as file:
                file.write(f"{line}\n")

    def path_of(self, name: str) -> Path:
        """The file of one process."""
        return self._folder / f"{name}.log"

    def tail(self, name: str, count: int = 20) -> list[str]:
        """The last lines of one process."""
        path = self.path_of(name)
        return path.read_text(errors="replace").splitlines()[-count:] if path.exists() else []

    def _begin(self, name: str) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.path_of(name)
        path.touch(mode=0o600)
        if path.stat().st_size > _KEPT_BYTES:
            path.write_text("")
        self._begun.add(name)
