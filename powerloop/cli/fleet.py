"""The processes that commands start, workers and beats: their command lines, and what they are told."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from powerloop.embedded import Supervised
from powerloop.settings import PREFIX, Settings

POOL_VARIABLE = "CELERY_CUSTOM_WORKER_POOL"
POOL_CLASS = "powerloop.workers.pool:TaskPool"

#: What a process may take beyond its drain to let go of everything.
_MARGIN = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """How a worker process is to run."""

    #: Sends that it holds at once.
    concurrency: int = 200
    #: ``asyncio`` (ours), or a pool of Celery's: ``solo``, ``prefork``.
    pool: str = "asyncio"
    #: Celery queues, separated by commas; empty: all of ours.
    queues: str = ""
    log_level: str = "INFO"
    #: More variables for its environment.
    environment: Mapping[str, str] = field(default_factory=dict)


def worker(number: int, settings: Settings, options: WorkerOptions, *, restart: bool = True) -> Supervised:
    """The worker process of that number, from 1."""
    return Supervised(
        name=f"worker{number}",
        argv=_command(number, options),
        env={**environment(settings), **options.environment, POOL_VARIABLE: POOL_CLASS},
        restart=restart,
        stop_within=settings.drain_timeout + _MARGIN,
    )


def beat(settings: Settings, *, log_level: str = "INFO", number: int | None = None) -> Supervised:
    """A beat beside the workers. It holds nothing: it may be ended, and started again, at any time. Where
    there are several, each has a number."""
    return Supervised(
        name="beat" if number is None else f"beat{number}",
        argv=beat_command(log_level),
        env=environment(settings),
        restart=True,
        stop_within=_MARGIN,
    )


def beat_command(log_level: str, celery_app: str = "") -> list[str]:
    """What runs a beat; `celery_app`: whose entries it serves, beside our timers."""
    own = ["--celery-app", celery_app] if celery_app else []
    return [sys.executable, "-m", "powerloop.beat", "--log-level", log_level, *own]


def environment(settings: Settings) -> dict[str, str]:
    """Our environment, with the settings as they were read here: a child reads the same."""
    told = {
        PREFIX + name.upper(): _text(getattr(settings, name))
        for name in type(settings).model_fields
        if getattr(settings, name) not in (None, "")
    }
    return {**os.environ, **told}


def _command(number: int, options: WorkerOptions) -> Sequence[str]:
    pool = "custom" if options.pool == "asyncio" else options.pool
    queues = ["--queues", options.queues] if options.queues else []
    return [
        *(sys.executable, "-m", "celery", "--quiet", "--app", "powerloop.workers.celery:app", "worker"),
        *("--pool", pool, "--concurrency", str(options.concurrency), "--loglevel", options.log_level),
        *("--hostname", f"worker{number}-{os.getpid()}@%h", "--without-gossip", "--without-mingle"),
        *queues,
    ]


def _text(value: object) -> str:
    return str(value.total_seconds()) if isinstance(value, timedelta) else str(value)
