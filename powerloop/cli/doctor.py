"""``powerloop doctor``: what is wrong, and what to do about it."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import typer

from powerloop.cli.console import AsJson, Console
from powerloop.client.app import load_app
from powerloop.client.remote import require_urls
from powerloop.kernel.errors import PowerLoopError
from powerloop.kernel.queues import QueueName
from powerloop.queue.inspect import SAFE_EVICTION, RedisReport, check_broker, inspect_redis
from powerloop.settings import Settings, read_settings
from powerloop.store import migrate, open_store
from powerloop.store.probe import probe

#: Leases are judged by the database's clock; a skew beyond this makes times in logs and rows hard to compare.
_SKEW = timedelta(seconds=1)

#: Beats say each second that one runs.
_SILENCE = timedelta(seconds=5)

#: Open questions that are counted.
_COUNTED = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found."""

    check: str
    #: ``ok``, ``warning`` (it works, but mind it) or ``fault``.
    verdict: str
    detail: str
    #: What to do; empty where there is nothing to do.
    remedy: str = ""


def register(app: typer.Typer) -> None:
    """Add the verb to the tree."""
    app.command("doctor")(doctor)


def doctor(as_json: AsJson = False) -> None:
    """Check settings, database, schema, clocks, Redis and broker. Exits with 1 on a fault."""
    console = Console.output(as_json)
    styles = {"ok": "green", "warning": "yellow", "fault": "red"}
    faults = 0
    for finding in _findings():
        faults += finding.verdict == "fault"
        console.value(finding)
        console.say(
            f"{finding.verdict:<8} {finding.check:<9} {finding.detail}", style=styles[finding.verdict]
        )
        if finding.remedy:
            console.say(f"{'':<19}{finding.remedy}")
    raise typer.Exit(1 if faults else 0)


def _findings() -> Iterator[Finding]:
    try:
        settings = read_settings()
        require_urls(settings)
    except PowerLoopError as error:
        yield _fault("settings", error)
        return
    yield Finding(check="settings", verdict="ok", detail="the addresses of database and Redis are set")
    for check, look in _CHECKS.items():
        try:
            yield from look(settings)
        except PowerLoopError as error:
            yield _fault(check, error)


def _app(settings: Settings) -> Iterator[Finding]:
    if not settings.app:
        yield Finding(
            check="app",
            verdict="ok",
            detail="POWERLOOP_APP is not set: fine for a producer, but a worker needs it",
        )
        return
    names = ", ".join(sorted(agent.name for agent in load_app(settings.app).agents))
    yield Finding(check="app", verdict="ok", detail=f"{settings.app} defines {names}")


def _database(settings: Settings) -> Iterator[Finding]:
    found = asyncio.run(probe(settings.database_url))
    yield Finding(check="database", verdict="ok", detail=f"{found.server} at {found.where}")
    yield _skew("database", found.skew)


def _schema(settings: Settings) -> Iterator[Finding]:
    found = asyncio.run(migrate.status(settings.database_url))
    if found.state == "current":
        yield Finding(check="schema", verdict="ok", detail=f"at {found.current}")
    elif found.state == "newer":
        yield Finding(
            check="schema",
            verdict="fault",
            detail=f"at {found.current}, which is newer than this powerloop",
            remedy="Upgrade powerloop to the release that made it.",
        )
    else:
        yield Finding(
            check="schema",
            verdict="warning" if settings.schema_policy == "auto" else "fault",
            detail=f"{found.state}: it is at {found.current or 'nothing'}, and {found.head} is needed",
            remedy="Run `powerloop db upgrade`, or have somebody run what `powerloop db ddl` prints.",
        )


def _beats(settings: Settings) -> Iterator[Finding]:
    if asyncio.run(migrate.status(settings.database_url)).state != "current":
        return
    silence = asyncio.run(_silence(settings))
    if silence is not None and silence <= _SILENCE:
        yield Finding(check="beat", verdict="ok", detail="one runs")
        return
    since = "" if silence is None else f" since {silence.total_seconds():.0f} s"
    yield Finding(
        check="beat",
        verdict="warning",
        detail=f"none runs{since}: no timer fires, and what is lost stays lost",
        remedy="Run `powerloop beat` beside the workers, or several on different machines.",
    )


async def _silence(settings: Settings) -> timedelta | None:
    store = open_store(settings.database_url, pool_size=1)
    try:
        return await store.beats.silence()
    finally:
        await store.close()


def _questions(settings: Settings) -> Iterator[Finding]:
    if asyncio.run(migrate.status(settings.database_url)).state != "current":
        return
    count = asyncio.run(_open_questions(settings))
    some = f"{count}{' or more' if count == _COUNTED else ''}"
    yield Finding(
        check="inbox",
        verdict="warning" if count else "ok",
        detail=f"{some} question(s) wait for a person" if count else "nobody is asked anything",
        remedy="See `powerloop inbox list`: their sends wait for the answers." if count else "",
    )


async def _open_questions(settings: Settings) -> int:
    store = open_store(settings.database_url, pool_size=1)
    try:
        return len(await store.interactions.list(limit=_COUNTED))
    finally:
        await store.close()


def _redis(settings: Settings) -> Iterator[Finding]:
    report = asyncio.run(inspect_redis(settings.redis_url, tool_queues=_tool_queues(settings)))
    ping_ms = report.ping / timedelta(milliseconds=1)
    yield Finding(
        check="redis",
        verdict="ok",
        detail=f"Redis {report.version} at {report.address}, {ping_ms:.1f} ms away",
    )
    yield _skew("redis", report.clock_ahead)
    yield from _redis_settings(report)


def _tool_queues(settings: Settings) -> Sequence[QueueName]:
    """The queues that tools of the app have; none, if the app cannot be loaded, as its own check tells."""
    try:
        return load_app(settings.app).agents.tool_queues if settings.app else ()
    except PowerLoopError:
        return ()


def _redis_settings(report: RedisReport) -> Iterator[Finding]:
    if report.eviction_policy != SAFE_EVICTION:
        yield Finding(
            check="redis",
            verdict="fault",
            detail=f"maxmemory-policy is {report.eviction_policy}: a full Redis drops messages in silence",
            remedy=f"Set maxmemory-policy to {SAFE_EVICTION}.",
        )
    if not report.appends:
        yield Finding(
            check="redis",
            verdict="warning",
            detail="it keeps no append-only file: a restart forgets all messages, locks and streams",
            remedy="Nothing accepted is lost, but recovery takes time. Set appendonly to yes.",
        )
    if report.dead_letters:
        yield Finding(
            check="redis",
            verdict="warning",
            detail=f"{report.dead_letters} message(s) that no worker could take lie in powerloop.dead",
            remedy="Look at them with LRANGE powerloop.dead 0 9: each says what is wrong with it.",
        )
    waiting = ", ".join(f"{name} {length}" for name, length in report.queues.items())
    yield Finding(
        check="queues", verdict="ok", detail=f"waiting: {waiting}; running: {report.unacknowledged}"
    )


def _broker(settings: Settings) -> Iterator[Finding]:
    if settings.celery_broker_url == settings.redis_url:
        return
    check_broker(settings.celery_broker_url)
    yield Finding(check="broker", verdict="ok", detail="it answers")


def _skew(check: str, ahead: timedelta) -> Finding:
    seconds = ahead.total_seconds()
    detail = f"its clock is {abs(seconds):.3f} s {'ahead of' if seconds > 0 else 'behind'} ours"
    if abs(ahead) <= _SKEW:
        return Finding(check=check, verdict="ok", detail=detail)
    return Finding(
        check=check,
        verdict="warning",
        detail=detail,
        remedy="Have both machines keep time by the same NTP server.",
    )


def _fault(check: str, error: PowerLoopError) -> Finding:
    return Finding(
        check=check, verdict="fault", detail=f"{error.code}: {error.message}", remedy=error.hint or ""
    )


_CHECKS: dict[str, Callable[[Settings], Iterator[Finding]]] = {
    "app": _app,
    "database": _database,
    "schema": _schema,
    "beat": _beats,
    "inbox": _questions,
    "redis": _redis,
    "broker": _broker,
}
