"""The settings of the asyncio pool, read once from the Celery app's configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Self

from powerloop.kernel.errors import SettingsInvalid

from .watchdog import WatchdogOptions

#: Keys of ``app.conf``. Spans are seconds or timedeltas.
DRAIN_TIMEOUT: Final = "powerloop_drain_timeout"
STALL_WARNING: Final = "powerloop_stall_warning"
STALL_EXIT: Final = "powerloop_stall_exit"
HEARTBEAT_FILE: Final = "powerloop_heartbeat_file"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOptions:
    """What the pool is told by the app."""

    #: How long a shutdown waits for the running jobs before their messages go back to the queue.
    drain_timeout: timedelta = timedelta(seconds=25)
    #: How long the event loop may be silent, and where liveness probes look.
    watchdog: WatchdogOptions = field(default_factory=WatchdogOptions)

    @classmethod
    def of(cls, conf: Mapping[str, Any]) -> Self:
        """The options in `conf`; what is missing there has its default.

        Raises:
            SettingsInvalid: a span is not one, or is negative.
        """
        watchdog = WatchdogOptions(
            warn_after=_span(conf, STALL_WARNING, WatchdogOptions().warn_after),
            exit_after=_span(conf, STALL_EXIT, WatchdogOptions().exit_after),
            heartbeat_file=Path(path) if (path := conf.get(HEARTBEAT_FILE)) else None,
        )
        return cls(drain_timeout=_span(conf, DRAIN_TIMEOUT, cls().drain_timeout), watchdog=watchdog)


def _span(conf: Mapping[str, Any], key: str, default: timedelta) -> timedelta:
    value = conf.get(key, default)
    try:
        span = value if isinstance(value, timedelta) else timedelta(seconds=float(value))
    except (TypeError, ValueError) as error:
        raise SettingsInvalid(f"{key} is a number of seconds, and not {value!r}.") from error
    if span < timedelta():
        raise SettingsInvalid(f"{key} cannot be negative; it is {value!r}.")
    return span
