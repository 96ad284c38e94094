"""Facts in words: spans, counts, and the sentences that several causes share."""

from datetime import datetime, timedelta
from typing import Final

from powerloop.kernel.explain.facts import Facts
from powerloop.kernel.sends import CancelRequest

#: Any beat has looked by then, whatever it is that it looks for.
BEAT_PATIENCE: Final = timedelta(seconds=15)

NO_BEAT_HINT: Final = "See that a beat runs: powerloop beat."
NO_WORKER_HINT: Final = "Start a worker: powerloop worker."

_PROMPT_LENGTH: Final = 200


def paragraph(*sentences: str) -> str:
    """The sentences that there are, one after the other."""
    return " ".join(sentence for sentence in sentences if sentence)


def plural(count: int, noun: str) -> str:
    """``1 send``, ``2 sends``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def span(length: timedelta) -> str:
    """A span as people say it; one that is negative, by two clocks, is none."""
    seconds = max(length.total_seconds(), 0.0)
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min"
    if seconds < 2 * 86400:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86400:.0f} days"


def ago(facts: Facts, at: datetime | None) -> str:
    """``3.2 s ago``."""
    return "at an unknown time" if at is None else f"{span(facts.rows.now - at)} ago"


def quoted(text: str) -> str:
    """A text of somebody else's, on one line and not too long."""
    line = " ".join(text.split())
    return f'"{line if len(line) <= _PROMPT_LENGTH else line[: _PROMPT_LENGTH - 1] + "…"}"'


def by_whom(cancel: CancelRequest | None) -> str:
    """`` by ada: "no longer needed"``, as far as that was said."""
    if cancel is None:
        return ""
    actor = f" by {cancel.actor}" if cancel.actor else ""
    return f"{actor}: {quoted(cancel.reason)}" if cancel.reason else actor


def asked_to_end(facts: Facts) -> str:
    """Who asked for its end, when and why; empty if nobody did."""
    cancel = facts.rows.send.cancel
    return f"Its end was asked for {ago(facts, cancel.at)}{by_whom(cancel)}." if cancel else ""


def lock_held(facts: Facts) -> str:
    """Who holds the lock of its session; empty if nobody does, as far as is known."""
    lock = facts.lock
    if lock is None:
        return ""
    alive = "is alive" if facts.rows.workers.has_process(lock.process) else "is not alive"
    lasts = "never runs out" if lock.lasts is None else f"runs out in {span(lock.lasts)} unless it is renewed"
    return f"The lock {lock.key} {lasts}; the process that holds it, {lock.process}, {alive}."


def struck(facts: Facts, claims: int) -> str:
    """That so many claims in a row came to nothing; empty if none did."""
    if not claims:
        return ""
    what = f"Its last {plural(claims, 'claim')}" if claims > 1 else "Its last claim"
    return f"{what} came to no commit; after {facts.max_attempts} in a row it fails as send.poison."


def no_worker(facts: Facts) -> str:
    """That no worker is alive, and since when; empty if one is."""
    workers = facts.rows.workers
    if workers.alive:
        return ""
    at = workers.last_expired_at
    last = "there is no trace of one" if at is None else f"the lease of the last one ran out {ago(facts, at)}"
    return f"No worker is alive; {last}."
