"""The command line: one file per family of verbs."""

from powerloop.cli.entry import main

__all__ = ["main"]
