"""Rows of timers and firings to nouns, and back; a timer as it is to be written."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from powerloop.kernel.agents import MAX_AGENT_NAME_LENGTH
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.ids import MAX_TIMER_ID_LENGTH, TimerId
from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.timers import (
    CatchUp,
    DstRule,
    Firing,
    FiringOutcome,
    NewTimer,
    Overlap,
    Schedule,
    Timer,
    TimerOwner,
    TimerPlan,
    TimerStatus,
)
from powerloop.store.database import Row
from powerloop.store.encoding import cleaned, decode

logger = logging.getLogger("powerloop.timers")

NamedT = TypeVar("NamedT", NewTimer, Timer)


def checked_timer(new: NewTimer) -> NewTimer:
    """The timer, cleaned.

    Raises:
        InvalidInput: its id is empty or too long, or its metadata is not JSON.
    """
    if not 1 <= len(new.id) <= MAX_TIMER_ID_LENGTH:
        raise InvalidInput(f"a timer's id has 1 to {MAX_TIMER_ID_LENGTH} characters, not {len(new.id)}.")
    if new.session_id is None and not 1 <= len(new.agent) <= MAX_AGENT_NAME_LENGTH:
        raise InvalidInput(
            f"an agent's name has 1 to {MAX_AGENT_NAME_LENGTH} characters, not {len(new.agent)}."
        )
    plan, schedule = new.plan, new.plan.schedule
    in_utc = replace(
        schedule, at=_in_utc(schedule.at), start=_in_utc(schedule.start), end=_in_utc(schedule.end)
    )
    clean = replace(plan, schedule=in_utc, input=clean_text(plan.input), metadata=cleaned(plan.metadata))
    return replace(new, id=timer_name(new.id), plan=clean)


def named(timer: NamedT, agent: str) -> NamedT:
    """The timer, of that agent."""
    return replace(timer, agent=clean_text(agent))


def timer_name(timer_id: TimerId) -> TimerId:
    """The id as it stands in the database."""
    return TimerId(clean_text(timer_id))


def readable_timer(row: Row) -> Timer | None:
    """The timer of a row of `timers`; `None`: a later release wrote it, whose beats will fire it."""
    try:
        return timer_of(row)
    except (ValueError, KeyError, TypeError):
        logger.exception("timer not read", extra={"timer_id": row["id"]})
        return None


def timer_of(row: Row) -> Timer:
    """The timer of a row of `timers`."""
    return Timer(
        id=row["id"],
        session_id=row["session_id"],
        agent=row["agent"],
        owner=TimerOwner(row["owner"]),
        status=TimerStatus(row["status"]),
        reason=row["reason"],
        plan=_plan_of(decode(row["plan"])),
        tick_at=row["tick_at"],
        due_at=row["due_at"],
        asked_at=row["asked_at"],
        held_at=row["held_at"],
        fires=row["fires"],
        skips=row["skips"],
        last_send_id=row["last_send_id"],
        last_tick_at=row["last_tick_at"],
        created_at=row["created_at"],
        armed_at=row["armed_at"],
        ended_at=row["ended_at"],
    )


def timer_row(timer: Timer) -> dict[str, Any]:
    """The row of a timer."""
    return {
        "id": timer.id,
        "session_id": timer.session_id,
        "agent": timer.agent,
        "owner": timer.owner.value,
        "plan": _plan_to_json(timer.plan),
        "created_at": timer.created_at,
        **state_row(timer),
    }


def plan_row(timer: Timer) -> dict[str, Any]:
    """The columns of `timers` that another plan changes."""
    return {"plan": _plan_to_json(timer.plan), **state_row(timer)}


def state_row(timer: Timer) -> dict[str, Any]:
    """The columns of `timers` that a step of it may change."""
    return {
        "status": timer.status.value,
        "reason": clean_text(timer.reason),
        "tick_at": timer.tick_at,
        "due_at": timer.due_at,
        "asked_at": timer.asked_at,
        "held_at": timer.held_at,
        "fires": timer.fires,
        "skips": timer.skips,
        "last_send_id": timer.last_send_id,
        "last_tick_at": timer.last_tick_at,
        "armed_at": timer.armed_at,
        "ended_at": timer.ended_at,
    }


def firing_of(row: Row) -> Firing:
    """The firing of a row of `timer_firings`."""
    return Firing(
        timer_id=row["timer_id"],
        tick_at=row["tick_at"],
        outcome=FiringOutcome(row["outcome"]),
        number=row["number"],
        send_id=row["send_id"],
        detail=row["detail"],
        at=row["at"],
    )


def firing_row(firing: Firing) -> dict[str, Any]:
    """The row of a firing."""
    return {
        "timer_id": firing.timer_id,
        "tick_at": firing.tick_at,
        "outcome": firing.outcome.value,
        "number": firing.number,
        "send_id": firing.send_id,
        "detail": clean_text(firing.detail),
        "at": firing.at,
    }


def _plan_to_json(plan: TimerPlan) -> dict[str, Any]:
    """The plan as it is stored: what says nothing is left out."""
    schedule = plan.schedule
    told = {
        "at": _text(schedule.at),
        "every_s": _seconds(schedule.every),
        "cron": schedule.cron,
        "tz": schedule.tz,
        "dst": schedule.dst.value,
        "start": _text(schedule.start),
        "end": _text(schedule.end),
        "jitter_s": _seconds(schedule.jitter) or None,
        "input": plan.input,
        "overlap": plan.overlap.value,
        "catch_up": plan.catch_up.value,
        "catch_up_window_s": _seconds(plan.catch_up_window),
        "max_fires": plan.max_fires,
        "pause_after": plan.pause_after,
        "priority": plan.priority or None,
        "metadata": plan.metadata or None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _plan_of(told: Mapping[str, Any]) -> TimerPlan:
    return TimerPlan(
        schedule=Schedule(
            at=_instant(told.get("at")),
            every=_span(told.get("every_s")),
            cron=told.get("cron"),
            tz=told["tz"],
            dst=DstRule(told["dst"]),
            start=_instant(told.get("start")),
            end=_instant(told.get("end")),
            jitter=timedelta(seconds=told.get("jitter_s", 0)),
        ),
        input=told["input"],
        overlap=Overlap(told["overlap"]),
        catch_up=CatchUp(told["catch_up"]),
        catch_up_window=_span(told.get("catch_up_window_s")),
        max_fires=told.get("max_fires"),
        pause_after=told.get("pause_after"),
        priority=told.get("priority", 0),
        metadata=told.get("metadata", {}),
    )


def _in_utc(instant: datetime | None) -> datetime | None:
    return None if instant is None else instant.astimezone(UTC)


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()


def _span(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
