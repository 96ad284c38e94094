"""Every setting, read from the environment once, validated and frozen.

Composition roots read it; nobody else does.
"""

import json
import os
from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from powerloop.kernel.errors import SettingsInvalid

PREFIX = "POWERLOOP_"


#: A span, given as seconds: ``4`` or ``2.5``.
Seconds = Annotated[
    timedelta,
    BeforeValidator(lambda value: float(value) if isinstance(value, str) else value),
    Field(gt=timedelta(0)),
]


class Settings(BaseSettings):
    """What a process of powerloop is told by its environment.

    Each field is the variable ``POWERLOOP_<FIELD>``.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    #: ``postgresql://…`` (workers and producers) or ``sqlite:///file`` (one process).
    database_url: str = ""
    #: Locks, event streams, and the broker unless `broker_url` says otherwise.
    redis_url: str = ""
    #: Celery's broker; empty: `redis_url`.
    broker_url: str = ""
    #: Modules that define agents, separated by commas: ``myapp.agents,myapp.more``.
    app: str = ""
    #: ``auto``: bring the schema about at start. ``verify``: refuse to start without it.
    schema_policy: Literal["auto", "verify"] = "auto"
    #: How long a worker that has gone silent is thought alive. It renews four times in that span.
    lease_ttl: Seconds = timedelta(seconds=4)
    #: How long a session lock outlives a holder that has gone silent. Not longer than the lease, or takeovers
    #: wait for it.
    lock_ttl: Seconds = timedelta(seconds=4)
    #: A send that was claimed so often, without a commit in between, fails as ``send.poison``.
    max_attempts: int = Field(default=5, ge=1)
    #: How often a beat looks for sends that were lost.
    sweep_interval: Seconds = timedelta(seconds=1)
    #: How long sends that have ended are kept, with their sessions, which go as a whole; empty: for ever.
    keep_sends: Seconds | None = None
    #: How long timers that are done or cancelled are kept, and what became of each tick.
    keep_timers: Seconds = timedelta(days=30)
    #: How long a shutdown waits for sends to reach a commit before they are handed over as they stand.
    drain_timeout: Seconds = timedelta(seconds=25)
    #: How long a session's event stream is kept after its last event.
    stream_ttl: Seconds = timedelta(hours=1)
    #: About how many events a session's stream keeps.
    stream_length: int = Field(default=2000, ge=10)
    #: Connections to the database per process. Sends hold none while a model or tool runs.
    database_pool: int = Field(default=8, ge=1)
    #: Put the beginning of each input into the task's ``argsrepr``, where Flower shows it.
    task_preview: bool = True
    #: A file of prices of models in the form of ``powerloop/llm/prices.toml``; it wins over that one.
    prices: str = ""
    #: What runs leaves of workflows that are to have a process of their own: ``direct``, ``bubblewrap``,
    #: ``docker:IMAGE`` or ``gvisor:IMAGE``.
    isolation: str = "direct"
    #: Names of variables, separated by commas, that such a process sees beside those of model providers.
    isolation_environment: str = ""
    #: How much memory it may use.
    isolation_memory_mb: int = Field(default=2048, ge=64)
    #: How much time of a processor it may use.
    isolation_cpu: Seconds = timedelta(minutes=10)
    #: A file whose modification time a worker renews while it is well, for liveness probes.
    heartbeat_file: str = ""
    #: Where the embedded stack keeps its data.
    home: str = ".powerloop"

    @property
    def celery_broker_url(self) -> str:
        """The broker's address."""
        return self.broker_url or self.redis_url


def read_settings(*, discover: bool = True, **overrides: Any) -> Settings:  # noqa: ANN401 - as the fields are
    """The settings of this process.

    Args:
        discover: Whether addresses that are not set are those of the embedded stack that runs in this folder,
            or in one above it.
        **overrides: Win over the environment; those that are `None` or empty do not.

    Raises:
        SettingsInvalid: a value is malformed, or a variable with our prefix has a name that is not ours.
    """
    _refuse_unknown(os.environ)
    try:
        settings = Settings(**{name: value for name, value in overrides.items() if value not in (None, "")})
    except ValidationError as error:
        problems = "; ".join(
            f"{PREFIX}{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()
        )
        raise SettingsInvalid(f"the settings cannot be used: {problems}.") from error
    if discover and not (settings.database_url and settings.redis_url):
        found = {
            name: url for name, url in _running_stack(settings.home).items() if not getattr(settings, name)
        }
        settings = settings.model_copy(update=found)
    return settings


def _running_stack(home: str) -> dict[str, str]:
    """The addresses that an embedded stack has written down, if the process that runs it lives."""
    for folder in (Path.cwd(), *Path.cwd().parents):
        try:
            record = json.loads((folder / home / "stack.json").read_text())
            os.kill(record["pid"], 0)
            return {name: record[name] for name in ("database_url", "redis_url")}
        except (OSError, ValueError, LookupError, TypeError):
            # Not there, not ours to read, or left behind by a process that was killed.
            continue
    return {}


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in environ:
        if name.startswith(PREFIX) and name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"Known: {', '.join(sorted(known))}."
            raise SettingsInvalid(f"{name} is not a setting of powerloop.", hint=hint)
