"""What model calls cost: entries of the ledger, and their sum on the send."""

from dataclasses import replace

from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.ports.journal import Ending
from powerloop.kernel.sends import SendStatus
from powerloop.kernel.usage import ModelCallEntry, Usage


def cleaned_entry(entry: ModelCallEntry) -> ModelCallEntry:
    """The entry with names that a database accepts."""
    return replace(
        entry,
        model=clean_text(entry.model),
        purpose=clean_text(entry.purpose),
        error_code=entry.error_code and clean_text(entry.error_code),
    )


def total_usage(entries: tuple[ModelCallEntry, ...]) -> Usage:
    """What all attempts used, failed ones included: the provider bills them too."""
    return sum((entry.usage for entry in entries), Usage())


def last_round(ending: Ending) -> int:
    """The round that the entries of `ending` belong to. A failed round is not among the counted."""
    return ending.rounds + (ending.status is SendStatus.FAILED)
