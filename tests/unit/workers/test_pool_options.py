"""The pool's settings in the app's configuration."""

from datetime import timedelta
from pathlib import Path

import pytest
from celery import Celery

from powerloop.kernel.errors import SettingsInvalid
from powerloop.workers.pool_options import PoolOptions


def test_an_app_that_says_nothing_gets_the_defaults():
    options = PoolOptions.of(Celery(set_as_current=False).conf)
    assert options.drain_timeout == timedelta(seconds=25)
    assert options.watchdog.warn_after == timedelta(seconds=2)
    assert options.watchdog.exit_after == timedelta(seconds=60)
    assert options.watchdog.heartbeat_file is None


def test_spans_are_seconds_or_timedeltas():
    app = Celery(set_as_current=False)
    app.conf.update(
        powerloop_drain_timeout=timedelta(minutes=1),
        powerloop_stall_exit=0.5,
        powerloop_heartbeat_file="x/alive",
    )
    options = PoolOptions.of(app.conf)
    assert options.drain_timeout == timedelta(minutes=1)
    assert options.watchdog.exit_after == timedelta(seconds=0.5)
    assert options.watchdog.heartbeat_file == Path("x/alive")


@pytest.mark.parametrize(("value", "words"), [("soon", "number of seconds"), (-1, "cannot be negative")])
def test_a_span_that_is_none_is_refused_in_words(value, words):
    with pytest.raises(SettingsInvalid, match=f"powerloop_drain_timeout .*{words}"):
        PoolOptions.of({"powerloop_drain_timeout": value})
