"""What a check of an invariant came to: the stores and the queue each check their own, and report alike."""

from dataclasses import dataclass
from typing import Literal

from powerloop.kernel.jsontypes import JSONObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One invariant, checked."""

    #: Its name in the list of invariants, such as ``I10``.
    invariant: str
    #: What it says, as a sentence.
    title: str
    #: ``not_applicable``: it cannot be checked here.
    status: Literal["ok", "violated", "timed_out", "not_applicable"]
    #: What violates it, one row per case; bounded, so a long list is cut.
    rows: tuple[JSONObject, ...]
    #: What else is to be known, such as how far the check came; may be empty.
    detail: str = ""
