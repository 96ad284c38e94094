"""docs/timers.md: its examples run as they are written, and its tables are true."""

import re
import shlex
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from powerloop.cli.entry import run
from powerloop.kernel.timers import CatchUp, DstRule, Overlap, Schedule, TimerStatus
from powerloop.timetable import CronTimetable

PAGE = (Path(__file__).parents[3] / "docs/timers.md").read_text()
DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
COMMANDS = re.findall(r"^powerloop (.*)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("block", re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
def test_an_example_runs_and_says_what_it_claims_to(block, capsys):
    names: dict[str, Any] = {}
    exec(compile(block, "docs/timers.md", "exec"), names)
    said = capsys.readouterr().out
    for claim in re.findall(r"print\(.*\)  # (.*)$", block, re.MULTILINE):
        assert re.search(DAY.join(map(re.escape, re.split(DAY, claim))), said), claim


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_takes_the_options_that_are_shown(command, capsys):
    assert run([*shlex.split(command, comments=True), "--help"]) == 0
    capsys.readouterr()


def test_the_table_of_clock_changes_is_what_the_timetable_does():
    zone = ZoneInfo("Europe/Berlin")

    def local(dst: DstRule, month: int, day: int) -> list[str]:
        begin = datetime(2027, month, day, tzinfo=zone)
        ticks = CronTimetable().ticks(
            Schedule(cron="30 2 * * *", tz=zone.key, dst=dst), begin.astimezone(UTC)
        )
        walls = (tick.astimezone(zone) for tick in ticks)
        return [f"{wall:%H:%M %Z}" for wall in takewhile(lambda wall: wall.day == day, walls)]

    rows = {rule: re.search(rf"^\| `{rule}`.*? \| (.*) \| (.*) \|$", PAGE, re.MULTILINE) for rule in DstRule}
    for rule, row in rows.items():
        assert row is not None
        for cell, (month, day) in zip(row.groups(), ((3, 28), (10, 31)), strict=True):
            assert re.findall(r"\d\d:\d\d [A-Z]+", cell) == local(rule, month, day)


@pytest.mark.parametrize("choices", [DstRule, Overlap, CatchUp, TimerStatus])
def test_every_choice_is_explained(choices):
    assert [choice for choice in choices if f"`{choice}`" not in PAGE] == []
