"""Causes of sends that are final: they will not run again."""

from typing import Final

from powerloop.kernel.explain.explanation import Cause, Explanation
from powerloop.kernel.explain.facts import Facts
from powerloop.kernel.explain.words import ago, by_whom, paragraph, plural, quoted
from powerloop.kernel.sends import StopReason

_POISON: Final = "send.poison"

#: What to do about an error, by its code.
_HINTS: Final = {
    _POISON: "Look into the logs of the workers that ran it; what it was at is the end of its session's log.",
    "agent.unknown": "See that each worker has all agents in POWERLOOP_APP, and send it again.",
}


def completed(facts: Facts) -> Explanation:
    """It ended by itself."""
    send = facts.rows.send
    why = f" ({send.stop_reason.value})" if send.stop_reason else ""
    rounds = plural(send.rounds, "round")
    if send.stop_reason is StopReason.BUDGET:
        return Explanation(
            code=Cause.BUDGET,
            text=f"Send {send.id} ended {ago(facts, send.ended_at)}, after {rounds}: its budget, or that of "
            "a send above it, was used up. What the model had said by then is its output.",
            hint="Send it again with a larger budget; see what was used: powerloop usage.",
        )
    return Explanation(
        code=Cause.COMPLETED,
        text=f"Send {send.id} is completed{why}: it ended {ago(facts, send.ended_at)}, after {rounds}.",
    )


def failed(facts: Facts) -> Explanation:
    """It ended on an error."""
    send = facts.rows.send
    code = send.error.code if send.error else "internal"
    message = quoted(send.error.message) if send.error else "nobody knows why"
    return Explanation(
        code=Cause.POISON if code == _POISON else Cause.FAILED,
        text=f"Send {send.id} failed {ago(facts, send.ended_at)}, in attempt {send.attempt}, with {code}: "
        f"{message}. It is not tried again; its session takes the next send.",
        hint=_HINTS.get(code, ""),
    )


def cancelled(facts: Facts) -> Explanation:
    """Somebody ended it."""
    send = facts.rows.send
    started = "after it had started" if send.started_at else "before it started"
    return Explanation(
        code=Cause.CANCELLED,
        text=paragraph(
            f"Send {send.id} was cancelled {ago(facts, send.ended_at)}, {started}.",
            f"That was asked for{by_whom(send.cancel)}." if by_whom(send.cancel) else "",
        ),
    )


def expired(facts: Facts) -> Explanation:
    """It became too old."""
    send = facts.rows.send
    return Explanation(
        code=Cause.EXPIRED,
        text=f"Send {send.id} expired {ago(facts, send.ended_at)}: it was not started in time.",
        hint="Send it again, with more time.",
    )


def merged(facts: Facts) -> Explanation:
    """It became a message of another one."""
    send = facts.rows.send
    return Explanation(
        code=Cause.MERGED,
        text=f"Send {send.id} does not run by itself: {ago(facts, send.ended_at)}, its input was taken into "
        f"the send of session {send.session_id} that ran then, as its policy {send.policy.value} has it.",
    )
