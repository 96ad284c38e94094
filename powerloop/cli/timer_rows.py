"""Timers, ticks and firings as rows: for programs in UTC, for people in the zone of the timer."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from powerloop.cli.timer_words import in_zone, local_text, schedule_text, span_text, zone_named
from powerloop.kernel.timers import Firing, Schedule, Timer


def timer_row(item: Timer) -> dict[str, object]:
    """A timer for programs: instants in UTC, spans in seconds."""
    plan = item.plan
    return {
        "id": item.id,
        "session_id": item.session_id,
        "agent": item.agent,
        "owner": item.owner.value,
        "status": item.status.value,
        "reason": item.reason,
        "input": plan.input,
        **_schedule_row(plan.schedule),
        "max_fires": plan.max_fires,
        "overlap": plan.overlap.value,
        "catch_up": plan.catch_up.value,
        "catch_up_window_s": _seconds(plan.catch_up_window),
        "pause_after": plan.pause_after,
        "priority": plan.priority,
        "metadata": plan.metadata,
        "fires": item.fires,
        "skips": item.skips,
        "last_send_id": item.last_send_id,
        **{name: _utc(instant) for name, instant in _instants(item).items()},
    }


def timer_cells(item: Timer) -> dict[str, object]:
    """A timer for people."""
    plan, zone = item.plan, zone_named(item.plan.schedule.tz)
    schedule, window = plan.schedule, plan.catch_up_window
    return {
        "id": item.id,
        "status": item.status.value,
        "reason": item.reason,
        "session_id": item.session_id or "a fresh one per tick",
        "agent": item.agent,
        "owner": item.owner.value,
        "input": plan.input,
        "schedule": schedule_text(schedule),
        "tz": schedule.tz,
        "dst": schedule.dst.value if schedule.cron else None,
        "start": _local(schedule.start, zone),
        "end": _local(schedule.end, zone),
        "jitter": span_text(schedule.jitter) if schedule.jitter else None,
        "max_fires": plan.max_fires,
        "overlap": plan.overlap.value,
        "catch_up": plan.catch_up.value + (f", within {span_text(window)}" if window else ""),
        "pause_after": plan.pause_after,
        "priority": plan.priority,
        "metadata": plan.metadata,
        "fires": item.fires,
        "skips": item.skips,
        "last_send_id": item.last_send_id,
        **{name: _local(instant, zone) for name, instant in _instants(item).items()},
    }


def firing_row(item: Firing) -> dict[str, object]:
    """What became of a tick, for programs."""
    return {
        "timer_id": item.timer_id,
        "tick_at": _utc(item.tick_at),
        "outcome": item.outcome.value,
        "number": item.number,
        "send_id": item.send_id,
        "detail": item.detail,
        "at": _utc(item.at),
    }


def firing_cells(item: Firing, zone: tzinfo) -> dict[str, object]:
    """What became of a tick, for people."""
    times = {"tick_at": _local(item.tick_at, zone), "at": _local(item.at, zone)}
    return {**firing_row(item), **times, "number": item.number or None}


def tick_rows(ticks: Iterable[datetime], zone: tzinfo) -> Sequence[dict[str, object]]:
    """Ticks for programs: each in UTC, and as the clock in the zone shows it."""
    return [{"tick_at": _utc(tick), "local": in_zone(tick, zone)} for tick in ticks]


def tick_cells(ticks: Iterable[datetime], tz: str, zone: tzinfo) -> Sequence[dict[str, object]]:
    """Ticks for people, in the columns `tz` and ``UTC``."""
    return [
        {"UTC": local_text(tick, UTC, with_day=True), tz: local_text(tick, zone, with_day=True)}
        for tick in ticks
    ]


def _schedule_row(schedule: Schedule) -> dict[str, object]:
    return {
        "at": _utc(schedule.at),
        "every_s": _seconds(schedule.every),
        "cron": schedule.cron,
        "tz": schedule.tz,
        "dst": schedule.dst.value,
        "start": _utc(schedule.start),
        "end": _utc(schedule.end),
        "jitter_s": _seconds(schedule.jitter),
    }


def _instants(item: Timer) -> dict[str, datetime | None]:
    return {
        "tick_at": item.tick_at,
        "due_at": item.due_at,
        "asked_at": item.asked_at,
        "held_at": item.held_at,
        "last_tick_at": item.last_tick_at,
        "created_at": item.created_at,
        "armed_at": item.armed_at,
        "ended_at": item.ended_at,
    }


def _utc(instant: datetime | None) -> datetime | None:
    return None if instant is None else instant.astimezone(UTC)


def _local(instant: datetime | None, zone: tzinfo) -> str | None:
    return None if instant is None else local_text(instant, zone)


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()
