"""The watchdog over an event loop."""

import logging
import threading
import time
from datetime import timedelta

import pytest

from powerloop.workers.exit_codes import ExitCode
from powerloop.workers.loop_thread import LoopThread
from powerloop.workers.watchdog import LagMeter, Notice, Watchdog, WatchdogOptions


@pytest.fixture
def thread():
    thread = LoopThread("watched-loop")
    thread.start()
    yield thread
    thread.stop()


def observed(meter, *ticks):
    return [meter.observe(answered=answered, elapsed_s=0.5) for answered in ticks]


def test_a_stall_is_told_once_and_its_end_too():
    meter = LagMeter(WatchdogOptions(warn_after=timedelta(seconds=1)), tick_s=0.5)
    assert observed(meter, True, False, False, False, False, True, True) == [
        Notice.NONE,
        Notice.NONE,
        Notice.NONE,
        Notice.STALLED,
        Notice.NONE,
        Notice.RECOVERED,
        Notice.NONE,
    ]


def test_each_stall_is_told():
    meter = LagMeter(WatchdogOptions(warn_after=timedelta(seconds=0.4)), tick_s=0.5)
    assert observed(meter, False, True, False) == [Notice.STALLED, Notice.RECOVERED, Notice.STALLED]


def test_a_short_silence_is_not_told():
    meter = LagMeter(WatchdogOptions(warn_after=timedelta(seconds=1)), tick_s=0.5)
    assert observed(meter, False, False, True) == [Notice.NONE] * 3


def test_a_loop_that_stays_silent_is_lost():
    meter = LagMeter(WatchdogOptions(exit_after=timedelta(seconds=3)), tick_s=0.5)
    assert observed(meter, *[False] * 7)[-1] is Notice.LOST


def test_a_process_that_stood_still_does_not_blame_its_loop():
    meter = LagMeter(WatchdogOptions(), tick_s=0.5)
    assert meter.observe(answered=False, elapsed_s=3600.0) is Notice.NONE
    assert meter.silent_s == 1.0


def test_a_blocked_loop_has_its_stack_logged_once(thread, caplog, eventually_blocking):
    release = threading.Event()

    def the_culprit():
        release.wait()

    watchdog = Watchdog(thread, WatchdogOptions(warn_after=timedelta(seconds=0.02)), tick_s=0.01)
    with caplog.at_level(logging.WARNING):
        watchdog.start()
        thread.post(the_culprit)
        eventually_blocking(lambda: "the_culprit" in caplog.text, "the stack is logged")
        release.set()
        eventually_blocking(lambda: "answers again" in caplog.text, "the recovery is logged")
    watchdog.stop()
    assert caplog.text.count("does not answer") == 1


def test_a_lost_loop_gives_the_process_up(thread, eventually_blocking):
    release, codes = threading.Event(), []
    options = WatchdogOptions(warn_after=timedelta(seconds=0.02), exit_after=timedelta(seconds=0.05))
    watchdog = Watchdog(thread, options, tick_s=0.01, give_up=codes.append)
    watchdog.start()
    thread.post(release.wait)
    eventually_blocking(lambda: codes, "the process is given up")
    release.set()
    watchdog.stop()
    assert codes[0] == ExitCode.STALLED == 82


def test_a_log_that_hangs_does_not_keep_a_lost_process(thread, eventually_blocking, monkeypatch):
    monkeypatch.setattr("powerloop.workers.watchdog._LAST_WORDS_S", 0.02)
    release, codes = threading.Event(), []

    class Hanging(logging.Handler):
        def emit(self, record):
            release.wait()

    handler = Hanging()
    logging.getLogger("powerloop.workers.watchdog").addHandler(handler)
    options = WatchdogOptions(warn_after=timedelta(seconds=0.02), exit_after=timedelta(seconds=0.05))
    watchdog = Watchdog(thread, options, tick_s=0.01, give_up=codes.append)
    watchdog.start()
    thread.post(release.wait)
    eventually_blocking(lambda: codes, "the process is given up")
    release.set()
    watchdog.stop()
    logging.getLogger("powerloop.workers.watchdog").removeHandler(handler)


def test_the_heartbeat_file_is_touched_only_while_the_loop_answers(thread, tmp_path, eventually_blocking):
    file = tmp_path / "alive"
    watchdog = Watchdog(thread, WatchdogOptions(heartbeat_file=file), tick_s=0.01)
    release = threading.Event()
    thread.post(release.wait)
    watchdog.start()
    began = time.monotonic()
    eventually_blocking(lambda: time.monotonic() - began > 0.1, "several ticks pass")
    assert not file.exists()
    release.set()
    eventually_blocking(file.exists, "the file is touched")
    watchdog.stop()


def test_a_heartbeat_file_that_cannot_be_touched_is_logged_and_no_more(
    thread, tmp_path, caplog, eventually_blocking
):
    watchdog = Watchdog(thread, WatchdogOptions(heartbeat_file=tmp_path / "no" / "folder"), tick_s=0.01)
    watchdog.start()
    eventually_blocking(lambda: "cannot be touched" in caplog.text, "the failure is logged")
    watchdog.stop()


def test_a_watchdog_that_never_started_can_be_stopped(thread):
    Watchdog(thread, WatchdogOptions()).stop()
