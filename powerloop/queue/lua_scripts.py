"""The Lua scripts of the queue room, each a file in ``lua/`` that opens with the table of its keys."""

from importlib.resources import files
from typing import Final

_FOLDER: Final = files("powerloop.queue") / "lua"


def script_text(name: str) -> str:
    """The text of ``lua/<name>.lua``."""
    return (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")
