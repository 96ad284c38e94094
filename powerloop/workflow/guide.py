"""What a model is told that is to write workflows."""

from importlib.resources import files
from typing import Final

#: In words, with an example: a part of a system prompt, or of a tool's description.
AUTHORING_GUIDE: Final = files(__package__).joinpath("guide.md").read_text(encoding="utf-8")
