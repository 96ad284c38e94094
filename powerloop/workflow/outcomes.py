"""Outcomes: how nodes end."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

#: What the names that a node may refer to have.
Values: TypeAlias = Mapping[str, Any]


class Ended(StrEnum):
    """How a node ended. All are final for one attempt."""

    #: It came to a value.
    DONE = "done"
    #: Its condition did not hold. Its value is null.
    SKIPPED = "skipped"
    #: It failed, and its attempts are used up.
    FAILED = "failed"
    #: Its end was asked for, or nobody waits for it any more.
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a node ended, and with what."""

    status: Ended
    #: JSON; null unless it is `DONE`.
    value: Any = None
    #: The stable code of why it failed; empty otherwise.
    code: str = ""
    #: The same in words.
    message: str = ""
    #: Whether its failure is to do no harm: ``on_error: continue``.
    tolerated: bool = False

    @property
    def is_well(self) -> bool:
        """Whether those that come after it may run."""
        return self.tolerated or self.status in (Ended.DONE, Ended.SKIPPED)

    @staticmethod
    def done(value: Any) -> "Outcome":  # noqa: ANN401 - any JSON
        """It came to this value."""
        return Outcome(status=Ended.DONE, value=value)

    @staticmethod
    def failed(code: str, message: str) -> "Outcome":
        """It failed for this reason."""
        return Outcome(status=Ended.FAILED, code=code, message=message)


SKIPPED = Outcome(status=Ended.SKIPPED)
CANCELLED = Outcome(status=Ended.CANCELLED)
