"""Ordinary entries of ``beat_schedule``: served by two beats of Celery's own, one of which leads."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

APP = """
import os
from celery import Celery

app = Celery("shop", broker=os.environ["POWERLOOP_REDIS_URL"])
app.conf.beat_schedule = {
    "often": {"task": "shop.tidy", "schedule": 1.0, "options": {"queue": "shop"}},
}
"""
PERIOD_S = 1.0


class CeleryBeat:
    """``celery beat`` with our scheduler, and what it logs."""

    def __init__(self, folder: Path, number: int, system: dict[str, str]) -> None:
        self.log = folder / f"celery-beat{number}.log"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("POWERLOOP_")}
        with self.log.open("wb") as file:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "celery", "-A", "shop", "beat"),
                    *("-S", "powerloop.beat:TimerScheduler", "-l", "INFO"),
                    *("--pidfile=", "-s", str(folder / f"schedule{number}")),
                ],
                env={**clean, **system},
                cwd=folder,
                stdout=file,
                stderr=file,
            )


@pytest.fixture
def start(system, tmp_path) -> Iterator[Callable[[int], CeleryBeat]]:
    (tmp_path / "shop.py").write_text(APP)
    beats = []

    def begin(number: int) -> CeleryBeat:
        beats.append(CeleryBeat(tmp_path, number, system))
        return beats[-1]

    yield begin
    for beat in beats:
        beat.process.kill()
        beat.process.wait(10)


async def test_entries_are_sent_by_one_of_two_beats_and_by_the_other_when_that_dies(
    start, queue, eventually, loop
):
    beats = [start(1), start(2)]

    def leading() -> list[CeleryBeat]:
        return [beat for beat in beats if "leading" in beat.log.read_text()]

    await eventually(leading, "one leads", within=30)
    (leader,) = leading()
    began, before = time.monotonic(), queue.llen("shop")
    await eventually(lambda: queue.llen("shop") >= before + 3, "it sends", within=20)
    sent, took = queue.llen("shop") - before, time.monotonic() - began
    assert sent <= took / PERIOD_S + 2
    leader.process.kill()
    leader.process.wait(10)
    await eventually(lambda: len(leading()) == 2, "the other leads", within=20)
    before = queue.llen("shop")
    await eventually(lambda: queue.llen("shop") > before, "and sends", within=20)


async def test_a_beat_of_celery_fires_our_timers_and_stops_when_it_is_told_to(
    start, queued, eventually, loop
):
    beat = start(1)
    timer = await loop.schedule("wake up", agent="echo", after=timedelta(seconds=0.5))

    async def has_fired() -> bool:
        return (await loop.get_timer(timer.id)).status == "done"

    await eventually(has_fired, "it fires", within=30)
    (send,) = await loop.list_sends()
    assert queued() == {send.id: 1}
    beat.process.terminate()
    assert beat.process.wait(10) == 0
    assert "Traceback" not in beat.log.read_text(), beat.log.read_text()
