"""What users test their agents with: a wire server, a world, crashes, doubles, factories, pytest fixtures."""

from powerloop.testing.crashes import crash_at

__all__ = ["crash_at"]
