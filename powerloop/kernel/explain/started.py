"""Causes of sends that have started: those that a process runs, and those that wait for something outside."""

from powerloop.kernel.calls import ToolCall
from powerloop.kernel.explain.explanation import Cause, Explanation
from powerloop.kernel.explain.facts import Facts
from powerloop.kernel.explain.waiting import task_words
from powerloop.kernel.explain.words import (
    BEAT_PATIENCE,
    NO_BEAT_HINT,
    NO_WORKER_HINT,
    ago,
    asked_to_end,
    lock_held,
    no_worker,
    paragraph,
    plural,
    quoted,
    span,
    struck,
)
from powerloop.kernel.interactions import Interaction, InteractionKind
from powerloop.kernel.sends import Send, SendStatus


def owner_dead(facts: Facts) -> Explanation | None:
    """Its process died, and nobody has taken it over yet."""
    rows, owner = facts.rows, facts.rows.owner
    if owner is None or owner.alive:
        return None
    ran_out = owner.expires_at
    lease = f"whose lease ran out {ago(facts, ran_out)}" if ran_out else "which has no lease any more"
    late = ran_out is None or rows.now - ran_out > BEAT_PATIENCE
    beat = "A beat makes it queued within a second or two, and a worker goes on from its last commit."
    none = " It has been longer than that: it seems that no beat runs." if ran_out and late else ""
    return Explanation(
        code=Cause.OWNER_DEAD,
        text=paragraph(
            f"Send {rows.send.id} is running on paper only: it belongs to {owner.worker}, {lease}.",
            f"{beat}{none}",
            no_worker(facts),
            struck(facts, rows.send.strikes),
            asked_to_end(facts),
            lock_held(facts),
        ),
        hint=" ".join(
            hint
            for hint, wanted in ((NO_BEAT_HINT, late), (NO_WORKER_HINT, not rows.workers.alive))
            if wanted
        ),
    )


def cancel_requested(facts: Facts) -> Explanation | None:
    """Its end was asked for."""
    send = facts.rows.send
    if send.cancel is None:
        return None
    late = facts.rows.now - send.cancel.at > BEAT_PATIENCE
    if send.status is SendStatus.WAITING:
        what = "It waits, and belongs to no process: a beat makes it queued, for a worker to end it."
        hint = NO_BEAT_HINT if late else ""
    else:
        what = f"It runs under {send.owner}, which cuts its model call or tool off within about a second."
        hint = (
            "A tool that does not let itself be cancelled holds it up; its worker's log tells."
            if late
            else ""
        )
    return Explanation(
        code=Cause.CANCEL_REQUESTED,
        text=paragraph(f"Send {send.id} is about to be cancelled.", asked_to_end(facts), what),
        hint=hint,
    )


def running(facts: Facts) -> Explanation:
    """All is well."""
    send, owner = facts.rows.send, facts.rows.owner
    lease = f", for {span(owner.expires_at - facts.rows.now)} more" if owner and owner.expires_at else ""
    at = f"calls that have not ended: {_named(facts.rows.calls)}" if facts.rows.calls else "no call is open"
    return Explanation(
        code=Cause.RUNNING,
        text=paragraph(
            f"Send {send.id} is running, in attempt {send.attempt}, under {send.owner}, whose lease is alive"
            f"{lease}.",
            f"It was first started {ago(facts, send.started_at)}, and {plural(send.rounds, 'round')} of it "
            f"{'is' if send.rounds == 1 else 'are'} committed; {at}.",
            struck(facts, max(send.strikes - 1, 0)),
            lock_held(facts),
        ),
    )


def waits_for_person(facts: Facts) -> Explanation | None:
    """People are asked."""
    questions = facts.rows.questions
    if not questions:
        return None
    return Explanation(
        code=Cause.WAITS_FOR_PERSON,
        text=paragraph(
            f"Send {facts.rows.send.id} waits for a person, and needs no worker meanwhile.",
            *(_question(facts, question) for question in questions),
            _sub_agents(facts.rows.children),
            task_words(facts),
        ),
        hint=f"Answer: powerloop inbox answer {questions[0].id}",
    )


def waits_for_children(facts: Facts) -> Explanation | None:
    """Sub-agents are at work."""
    children = facts.rows.children
    if not children:
        return None
    return Explanation(
        code=Cause.WAITS_FOR_CHILDREN,
        text=paragraph(
            f"Send {facts.rows.send.id} waits for sub-agents, and needs no worker meanwhile.",
            _sub_agents(children),
            task_words(facts),
        ),
        hint=f"Ask further: powerloop sends explain {children[0].id}",
    )


def waits_for_call(facts: Facts) -> Explanation | None:
    """A call waits, of which it is not known for what."""
    waiting = facts.rows.calls
    if not waiting:
        return None
    return Explanation(
        code=Cause.WAITS_FOR_CALL,
        text=f"Send {facts.rows.send.id} waits, and needs no worker meanwhile: "
        f"{plural(len(waiting), 'call')} of it have not ended, {_named(waiting)}.",
    )


def wait_is_over(facts: Facts) -> Explanation:
    """It is to be woken."""
    return Explanation(
        code=Cause.WAIT_IS_OVER,
        text=paragraph(
            f"Send {facts.rows.send.id} is waiting, but none of its calls is: what it waited for is there. "
            "A beat makes it queued within a second or two.",
            no_worker(facts),
        ),
        hint=NO_BEAT_HINT,
    )


def _question(facts: Facts, question: Interaction) -> str:
    about = {
        InteractionKind.INPUT: f"the call {question.tool} asks",
        InteractionKind.APPROVAL: f"the call {question.tool} needs approval",
        InteractionKind.IN_DOUBT: f"the call {question.tool} may or may not have taken effect",
    }[question.kind]
    asked = f"Question {question.id}, open since {span(facts.rows.now - question.created_at)}: {about}"
    return f"{asked}, {quoted(question.prompt)}{_deadline(facts, question)}."


def _deadline(facts: Facts, question: Interaction) -> str:
    if question.expires_at is None:
        return "; it may take any time"
    then = "its call fails" if question.default is None else "its default answer counts"
    left = question.expires_at - facts.rows.now
    when = f"in {span(left)}" if left.total_seconds() > 0 else "now, for the time is over,"
    return f"; {when} {then}"


def _sub_agents(children: tuple[Send, ...]) -> str:
    if not children:
        return ""
    listed = ", ".join(f"{child.agent} ({child.id}, {child.status.value})" for child in children)
    have = "has" if len(children) == 1 else "have"
    return f"{plural(len(children), 'sub-agent')} {have} not ended: {listed}."


def _named(calls: tuple[ToolCall, ...]) -> str:
    return ", ".join(f"{call.name} ({call.id}, {call.status.value})" for call in calls)
