"""From the facts to the cause, without I/O.

For each state there is a list of causes, in the order in which they are looked for; the first that is found
is told. A new cause is a function, and a place in a list. Each list ends with one that is always found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from powerloop.kernel.explain import ended, queued, runs, started, waiting
from powerloop.kernel.explain.explanation import Cause, Explanation, Look
from powerloop.kernel.explain.facts import Facts
from powerloop.kernel.explain.words import paragraph, plural
from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import SendStatus


def explain(facts: Facts) -> Explanation:
    """Why the send is not running."""
    found = _found(facts)
    return replace(found, text=paragraph(found.text, runs.belonging(facts), facts.unseen))


def _found(facts: Facts) -> Explanation:
    for look in _LOOKS[facts.rows.send.status]:
        if found := look(facts):
            return found
    raise AssertionError(facts.rows.send.status)


def _behind(facts: Facts) -> Explanation | None:
    rows, ahead = facts.rows, facts.ahead
    if ahead is None or not rows.ahead:
        return None
    because = _found(ahead)
    count = plural(rows.ahead, "send")
    steers = (
        "It steers: the send that runs takes its input in at the end of a round." if _steers(facts) else ""
    )
    turn = f"Send {rows.send.id} waits for its turn in session {rows.send.session_id}: {count} before it"
    has = "has" if rows.ahead == 1 else "have"
    return Explanation(
        code=Cause.BEHIND,
        text=paragraph(f"{turn} {has} not ended.", steers, because.text),
        hint=because.hint,
        because=because,
    )


def _steers(facts: Facts) -> bool:
    return facts.rows.send.policy is Policy.STEER


_LOOKS: Final[Mapping[SendStatus, Sequence[Look]]] = {
    SendStatus.QUEUED: (
        _behind,
        queued.paused,
        queued.not_dispatched,
        queued.no_worker,
        queued.agent_unknown,
        queued.lock_held,
        queued.suspect,
        queued.broker_away,
        queued.message_lost,
        queued.backlog,
        queued.starting,
    ),
    SendStatus.RUNNING: (started.owner_dead, started.cancel_requested, started.running),
    SendStatus.WAITING: (
        started.cancel_requested,
        started.waits_for_person,
        runs.waits_for_run,
        started.waits_for_children,
        waiting.waits_for_tool,
        waiting.waits_for_time,
        started.waits_for_call,
        started.wait_is_over,
    ),
    SendStatus.COMPLETED: (ended.completed,),
    SendStatus.FAILED: (ended.failed,),
    SendStatus.CANCELLED: (ended.cancelled,),
    SendStatus.EXPIRED: (ended.expired,),
    SendStatus.MERGED: (ended.merged,),
}
