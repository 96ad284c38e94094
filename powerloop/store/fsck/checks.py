"""What is checked of each invariant. Each check is one ``.sql`` file whose rows are the violations.

A statement sees one snapshot, and every write of the store is one transaction: a system at work gives no
false alarm. Where a promise is kept by two transactions, its statement looks only at what is older than a
moment.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files
from typing import Final

#: How old something is that is done by now: ``:moment_ago`` in the statements.
MOMENT: Final = timedelta(seconds=30)
#: Leases are forgotten an hour after they ran out: ``:long_ago`` in the statements.
LONG: Final = timedelta(hours=2)

#: The words of the statements that SQLite has other words for.
_SQLITE: Final = {
    " powerloop.": " ",
    "jsonb_array_elements(m.content) AS b (value)": "json_each(m.content) AS b",
    "jsonb_array_elements_text(x.lineage -> 'budgets') AS b (value)": (
        "json_each(x.lineage, '$.budgets') AS b"
    ),
    "jsonb_array_length(": "json_array_length(",
    "jsonb_object_keys(": "json_each(",
    "jsonb_typeof(": "json_type(",
    "x.ended_at + interval '1 second'": "strftime('%Y-%m-%dT%H:%M:%f000+00:00', x.ended_at, '+1 second')",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of one invariant."""

    invariant: str
    #: What holds, as a sentence.
    title: str
    #: The name of its file.
    name: str
    #: Whether it holds only once the system is at rest.
    at_rest: bool = False

    def statement(self, dialect: str) -> str:
        """Its SQL, with the parameter ``:limit``, and some with ``:moment_ago`` or ``:long_ago``."""
        text = files(__package__).joinpath("sql", f"{self.name}.sql").read_text(encoding="utf-8")
        sql = " ".join(line.strip() for line in text.splitlines() if not line.startswith("--"))
        if dialect == "sqlite":
            for word, other in _SQLITE.items():
                sql = sql.replace(word, other)
        return sql


def _of(invariant: str, *checks: tuple[str, str]) -> Iterable[Check]:
    return (Check(invariant=invariant, name=name, title=title) for name, title in checks)


def _at_rest(invariant: str, *checks: tuple[str, str]) -> Iterable[Check]:
    return (Check(invariant=invariant, name=name, title=title, at_rest=True) for name, title in checks)


CHECKS: Final = (
    *_of(
        "I1",
        ("places", "Every accepted send has its place, and up to the finished count all have ended."),
        ("standstill", "No session stands at a send that has ended."),
        ("turns", "Only the head of a session is dispatched, runs or waits."),
        ("waits", "A send that waits has a call that waits."),
        (
            "awaited",
            "A call that waits has a question, a sub-agent, a task or a run that is open, or a time.",
        ),
        ("tasks", "A tool task that has not ended has a call that waits for it."),
        ("told", "A sub-agent that has ended has told its parent."),
        ("runs", "A run that is open has a call that waits for it."),
        ("leaves", "A leaf of a run runs until its send has ended, and has landed then."),
    ),
    *_at_rest(
        "I1",
        ("driven", "Every send that has not ended is being driven."),
        ("tasks_driven", "Every tool task that has not ended is being driven."),
        ("sleepers", "Every call whose time has come is awake."),
        ("runs_moved", "Whatever has happened to a run has been taken note of."),
        ("unwanted", "Every leaf that nobody waits for any more has been asked to end."),
    ),
    *_of(
        "I2",
        ("log_epochs", "Epochs never fall along a log, and none is above its session's."),
        ("call_epochs", "Epochs never fall along the calls of a send, and none is above its claim's."),
    ),
    *_of(
        "I3",
        ("gaps", "A log is numbered 1, 2, 3 … without gaps."),
        ("log_order", "A log has the messages of its sends in the order in which they were accepted."),
        ("inputs", "The input of a send that was claimed stands in the log once, where the send says."),
    ),
    *_of(
        "I4",
        ("answers", "A send has one message of the model for each round."),
        ("paid_rounds", "A send has one successful model call in the ledger for each round."),
    ),
    *_of(
        "I5",
        ("doubts", "Only calls that run once are written ahead, and what became of them is asked."),
        ("call_ids", "The calls of a send have ids of their own."),
    ),
    *_of(
        "I6",
        ("transcript", "Each tool call has exactly one result before the next model call."),
        ("journal", "The transcript and the journal know the same calls."),
        ("open_calls", "A send that has ended has no open calls."),
    ),
    *_of(
        "I7",
        ("members", "An open node of a run has counted those in it, and how they ended."),
        ("entries", "The value of a fan-out has one entry for each of its members."),
        ("attempts", "Of the attempts at a node one is the last, and no other goes on."),
        ("cut_off", "Nothing goes on in a node of a run that has ended, but losers that may finish."),
    ),
    *_of(
        "I8",
        ("ticks", "A tick of a timer makes at most one send."),
        ("firings", "Each send of a timer has its tick, and each tick that fired its send."),
        ("timers", "A timer has counted its sends, and is live only while its session is open."),
    ),
    *_at_rest("I8", ("timers_fired", "Every tick that is due has fired.")),
    *_of(
        "I9",
        ("usage", "The tokens of a send are the sum of its ledger."),
        ("budgets", "A budget has counted all that its tree has used."),
        ("reservations", "Nothing is reserved for a send that has ended or waits."),
        ("trees", "A tree has no more sub-agents than it may have."),
    ),
    *_of("I11", ("afterwards", "Nothing is written for a send after its end.")),
    *_of(
        "I12",
        ("leases", "No lease outlives its owner, and no send runs under such a one."),
        ("orphans", "No send runs for long under an owner without a lease."),
        ("questions", "No question is open whose send has ended."),
    ),
)
