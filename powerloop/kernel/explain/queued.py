"""Causes of sends that are queued, and whose turn it is: what keeps them from a worker."""

from datetime import timedelta
from typing import Final

from powerloop.kernel.explain.explanation import Cause, Explanation
from powerloop.kernel.explain.facts import Facts
from powerloop.kernel.explain.runs import resuming
from powerloop.kernel.explain.words import (
    BEAT_PATIENCE,
    NO_BEAT_HINT,
    NO_WORKER_HINT,
    ago,
    asked_to_end,
    paragraph,
    plural,
    span,
    struck,
)
from powerloop.kernel.explain.words import lock_held as held_lock
from powerloop.kernel.explain.words import no_worker as worker_gone
from powerloop.kernel.sweep import SweepOptions

#: The most often that a dispatch in vain doubles the patience of a beat with the next one.
_DOUBLINGS: Final = 6

_SWEEP: Final = SweepOptions()


def paused(facts: Facts) -> Explanation | None:
    """Somebody has stopped its session. One that is to end is claimed all the same."""
    rows = facts.rows
    if rows.paused_at is None or rows.send.cancel is not None:
        return None
    return Explanation(
        code=Cause.PAUSED,
        text=f"Send {rows.send.id} is ready, but its session {rows.send.session_id} was paused "
        f"{ago(facts, rows.paused_at)}.",
        hint=f"Let it go on: {resuming(facts)}",
    )


def not_dispatched(facts: Facts) -> Explanation | None:
    """Whoever had to make it ready died."""
    rows = facts.rows
    if rows.is_head and rows.send.dispatched_at is not None:
        return None
    return _explained(
        facts,
        Cause.NOT_DISPATCHED,
        f"Send {rows.send.id} is the next of session {rows.send.session_id}, but the session has not moved "
        "on to it: the process that was to do that is at it, or died. A beat does it in some ten seconds.",
        worker_gone(facts),
        hint=NO_BEAT_HINT,
    )


def no_worker(facts: Facts) -> Explanation | None:
    """Nobody could take it."""
    if facts.rows.workers.alive:
        return None
    return _explained(
        facts,
        Cause.NO_WORKER,
        f"Send {facts.rows.send.id} is ready, and there is no worker to take it.",
        worker_gone(facts),
        _dispatched(facts),
        "The broker does not answer either."
        if facts.backlog is None
        else f"On its queue, {_waiting(facts)}.",
        hint=NO_WORKER_HINT,
    )


def agent_unknown(facts: Facts) -> Explanation | None:
    """Nobody knows how to run it. One that is described by a spec has a name that nobody announces."""
    send = facts.rows.send
    if facts.rows.agent_announced or send.spec is not None:
        return None
    count = plural(len(facts.rows.workers.alive), "worker")
    return _explained(
        facts,
        Cause.AGENT_UNKNOWN,
        f"Send {send.id} is for the agent {send.agent!r}, which no worker has announced since the oldest of "
        f"the {count} that live has started: whichever takes it fails it with agent.unknown.",
        _dispatched(facts),
        hint="Start a worker whose POWERLOOP_APP defines the agent, in place of those that do not.",
    )


def lock_held(facts: Facts) -> Explanation | None:
    """A process that lets its session go drops its lock in milliseconds; a dead one loses it in time."""
    lock = facts.lock
    if lock is None:
        return None
    if lock.lasts is None:
        hint = f"No worker makes such a lock. If nobody holds it, delete it: redis-cli DEL {lock.key}"
    else:
        hint = "Ask again when it has run out; if it is renewed each time, look into that process."
    return _explained(
        facts,
        Cause.LOCK_HELD,
        f"Send {facts.rows.send.id} is ready, but the lock of its session is held: a worker that takes the "
        "send waits for it.",
        held_lock(facts),
        _dispatched(facts),
        hint=hint,
    )


def suspect(facts: Facts) -> Explanation | None:
    """It may be poison: its last chance is given to it alone, or is used up."""
    rows = facts.rows
    left = facts.max_attempts - rows.send.strikes
    if not rows.send.strikes or left > 1 or rows.send.cancel is not None:
        return None
    if left < 1:
        code, then = Cause.POISON, "The worker that takes it next fails it as send.poison."
    else:
        code = Cause.LAST_CHANCE
        then = (
            "Its next claim is the last one, and is made while no other suspect runs in the same process: it "
            "may wait for one there."
        )
    return _explained(
        facts,
        code,
        f"Send {rows.send.id} may be killing the processes that run it. {then}",
        _dispatched(facts),
        hint="Look into the logs of the workers that ran it.",
    )


def message_lost(facts: Facts) -> Explanation | None:
    """Its queue was taken further than to its message, or is empty, and nobody has claimed it."""
    rows = facts.rows
    dispatched_at = rows.send.dispatched_at
    if dispatched_at is None:
        return None
    overtaken = rows.marked_at is not None and dispatched_at < rows.marked_at - _SWEEP.margin
    overdue = facts.backlog == 0 and rows.now - dispatched_at > _SWEEP.age
    if not (overtaken or overdue):
        return None
    how = "sends that were dispatched later have started" if overtaken else "its queue is empty"
    left = dispatched_at + _patience(rows.dispatches) - rows.now
    if overtaken:
        beat = "A beat publishes it again within a second or two; if it stays lost, none runs."
    elif left > -BEAT_PATIENCE:
        beat = f"A beat publishes it again in {span(left)}."
    else:
        beat = "A beat would have published it again by now: it seems that none runs."
    return _explained(
        facts,
        Cause.MESSAGE_LOST,
        f"Send {rows.send.id} is ready, but its message seems to be lost: {how}, and nobody has claimed it.",
        _dispatched(facts),
        beat,
        hint=NO_BEAT_HINT if overtaken or left <= -BEAT_PATIENCE else "",
    )


def broker_away(facts: Facts) -> Explanation | None:
    """Messages neither come nor go."""
    if facts.backlog is not None:
        return None
    return _explained(
        facts,
        Cause.BROKER_AWAY,
        f"Send {facts.rows.send.id} is ready, but the broker does not answer, and no message gets through.",
        _dispatched(facts),
        "Nothing is lost: when the broker is back, a beat publishes what it has forgotten.",
        hint="See that the broker runs: powerloop doctor.",
    )


def backlog(facts: Facts) -> Explanation | None:
    """Others are before it on the queue."""
    if not facts.backlog:
        return None
    count = plural(len(facts.rows.workers.alive), "worker")
    return _explained(
        facts,
        Cause.BACKLOG,
        f"Send {facts.rows.send.id} is ready, and its message is on the queue, where {_waiting(facts)}; "
        f"{count} {'is' if len(facts.rows.workers.alive) == 1 else 'are'} alive.",
        _dispatched(facts),
        hint="If that takes too long: more workers, or a higher concurrency.",
    )


def starting(facts: Facts) -> Explanation:
    """It was taken from the queue just now."""
    send = facts.rows.send
    return _explained(
        facts,
        Cause.STARTING,
        f"Send {send.id} is ready, its queue is empty, and a worker that is alive is about to claim it.",
        _dispatched(facts),
    )


def _explained(facts: Facts, code: Cause, *sentences: str, hint: str = "") -> Explanation:
    """The sentences, and what is to be said of any send that is queued."""
    end = asked_to_end(facts)
    text = paragraph(
        *sentences,
        f"{end} The worker that takes it next ends it." if end else "",
        struck(facts, facts.rows.send.strikes),
    )
    return Explanation(code=code, text=text, hint=hint)


def _dispatched(facts: Facts) -> str:
    """When it was made ready."""
    rows = facts.rows
    times = f", for the {_th(rows.dispatches)} time" if rows.dispatches > 1 else ""
    return f"It was dispatched {ago(facts, rows.send.dispatched_at)}{times}."


def _waiting(facts: Facts) -> str:
    """``42 messages of priority 0 wait``."""
    waits = "waits" if facts.backlog == 1 else "wait"
    return f"{plural(facts.backlog or 0, 'message')} of priority {facts.rows.send.priority} {waits}"


def _th(number: int) -> str:
    return {2: "2nd", 3: "3rd"}.get(number, f"{number}th")


def _patience(dispatches: int) -> timedelta:
    """How long a beat leaves it alone whose queue is empty: see `Recovery.overdue`."""
    return _SWEEP.age * int(2 ** min(max(dispatches - 1, 0), _DOUBLINGS))
