"""Causes of sends that wait for runs of workflows, and what is said of the leaves of one."""

from collections.abc import Iterator

from powerloop.kernel.explain.explanation import Cause, Explanation
from powerloop.kernel.explain.facts import Facts, RunFacts
from powerloop.kernel.explain.words import (
    BEAT_PATIENCE,
    NO_BEAT_HINT,
    ago,
    no_worker,
    paragraph,
    plural,
    span,
)
from powerloop.kernel.sends import SendStatus
from powerloop.kernel.workflows import NodeStatus

#: In the order in which they are told.
_UNDER_WAY = (NodeStatus.RUNNING, NodeStatus.LANDED, NodeStatus.DELAYED)
_ENDED = tuple(status for status in NodeStatus if status.is_final)


def waits_for_run(facts: Facts) -> Explanation | None:
    """A run of a workflow is open."""
    runs = facts.rows.runs
    if not runs:
        return None
    return Explanation(
        code=Cause.WAITS_FOR_RUN,
        text=paragraph(
            f"Send {facts.rows.send.id} waits for a workflow, and needs no worker meanwhile.",
            *(_told(facts, one) for one in runs),
            no_worker(facts),
        ),
        hint=_hint(facts, runs[0]),
    )


def belonging(facts: Facts) -> str:
    """Which node of which run the send is the leaf of; empty if it is none."""
    lineage = facts.rows.send.lineage
    if lineage is None or lineage.leaf is None:
        return ""
    return (
        f"It is the leaf {lineage.call_id} of run {lineage.leaf.run_id}, which send {lineage.send_id} drives."
    )


def resuming(facts: Facts) -> str:
    """The command that has its session go on; that of a leaf is paused with its run."""
    send = facts.rows.send
    leaf = send.lineage.leaf if send.lineage else None
    return (
        f"powerloop workflow resume {leaf.run_id}" if leaf else f"powerloop session resume {send.session_id}"
    )


def _told(facts: Facts, one: RunFacts) -> str:
    run = one.run
    if run.paused_at is not None:
        paused = f"The run was paused {ago(facts, run.paused_at)}: no further node begins."
    else:
        paused = ""
    if not one.nodes:
        return paragraph(f"Run {run.id} of {run.name} has not begun.", paused)
    under_way = _counted(one, _UNDER_WAY) or "none is under way"
    ended = _counted(one, _ENDED) or "none has ended"
    return paragraph(
        f"Of the nodes of run {run.id} of {run.name}, {under_way}; {ended}.", paused, *_kept(facts, one)
    )


def _counted(one: RunFacts, statuses: tuple[NodeStatus, ...]) -> str:
    """``2 are running, 1 is delayed``."""
    counts = ((one.nodes.get(status, 0), status.value) for status in statuses)
    return ", ".join(f"{count} {'is' if count == 1 else 'are'} {word}" for count, word in counts if count)


def _kept(facts: Facts, one: RunFacts) -> Iterator[str]:
    """What its leaves wait for."""
    at = ((SendStatus.QUEUED, "to be taken by a worker"), (SendStatus.RUNNING, "under a worker"))
    told = [f"{one.leaves[status]} {where}" for status, where in at if one.leaves.get(status)]
    if waiting := one.leaves.get(SendStatus.WAITING):
        told.append(f"{waiting} waiting for something outside")
    if told:
        yield f"The sends of its leaves: {', '.join(told)}."
    if one.questions:
        oldest = f"the oldest is {one.oldest_question}"
        yield f"{plural(one.questions, 'question')} to people not answered: {oldest}."
    if one.signals:
        yield f"It waits for the signal {' and for '.join(one.signals)}."
    if one.wakes_at is not None:
        left = one.wakes_at - facts.rows.now
        yield (
            f"The next time that it waits for comes in {span(left)}."
            if left.total_seconds() > 0
            else (f"A time that it waits for came {ago(facts, one.wakes_at)}: a beat has it go on.")
        )


def _hint(facts: Facts, one: RunFacts) -> str:
    rows, run = facts.rows, one.run
    if run.paused_at is not None:
        return f"Let it go on: powerloop workflow resume {run.id}"
    if one.questions:
        return f"Answer: powerloop inbox answer {one.oldest_question}"
    late = one.wakes_at is not None and rows.now - one.wakes_at > BEAT_PATIENCE
    never = not one.nodes and rows.now - run.created_at > BEAT_PATIENCE
    return NO_BEAT_HINT if late or never else f"See its nodes: powerloop workflow show {run.id}"
