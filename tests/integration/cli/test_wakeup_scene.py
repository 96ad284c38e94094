"""The wake-up of ``powerloop demo``: an agent that set its alarm is woken by a system that started anew."""

import os
import re
from datetime import UTC, datetime, timedelta
from io import StringIO

import psutil
import pytest
from rich.console import Console

from powerloop.cli import demo, sample_agents, wakeup_scene
from powerloop.cli.wakeup_scene import set_alarm, sleep_through, wake
from powerloop.client.loop import AsyncPowerLoop
from powerloop.kernel.agents import Agent
from powerloop.kernel.errors import DemoFailed
from powerloop.llm import Rule, Script, ScriptedCall, Turn
from powerloop.tools import schedule_wakeup

pytestmark = pytest.mark.integration

QUIET = Console(quiet=True)
HERE = {"worker1": os.getpid()}


def secretary(*answers: Turn, woken: str = "$input") -> tuple[Agent, Script]:
    """One that does not keep people waiting, and what it says: when it is asked, and when it is woken."""
    soon = schedule_wakeup(shortest=timedelta(milliseconds=50))
    turns = answers or (sets_alarm(), Turn(text="It is set."))
    rules = (
        Rule(pattern=r"^\[wake-up ", turns=(Turn(text=woken),)),
        Rule(pattern="remind me", turns=turns),
    )
    agent = Agent(name="secretary", model="scripted:secretary", tools=[soon])
    return agent, Script(rules=rules, otherwise=Turn(text="Yes?"))


def sets_alarm() -> Turn:
    call = ScriptedCall(name="schedule_wakeup", arguments={"note": "Call the vet.", "after_seconds": 0.5})
    return Turn(calls=(call,))


@pytest.fixture
def system(tmp_path):
    """Starts a system, on the same data each time."""

    def start(agent: Agent, script: Script) -> AsyncPowerLoop:
        return AsyncPowerLoop.local(tmp_path / "app.db", agents=[agent], scripts={"secretary": script})

    return start


@pytest.fixture
def woken(system):
    """Plays the scene: the second system is not the first one."""

    async def play(cast, console=QUIET, *, pids=HERE, late=timedelta(0), also=""):
        async with system(*cast) as loop:
            alarm = await set_alarm(loop, console)
            if also:
                await (await loop.send(alarm.send.session_id, also)).result(timeout=10)
        down_at = sleep_through(console, alarm, {})
        async with system(*cast) as loop:
            return await wake(loop, console, alarm, down_at + late, pids)

    return play


async def test_an_agent_is_woken_by_a_system_that_was_started_anew(woken):
    output = StringIO()
    played = await woken(secretary(), Console(file=output, width=200, highlight=False))
    shown = output.getvalue()
    assert re.search(r"→ schedule_wakeup …\n +← schedule_wakeup\n", shown)
    assert re.search(r"so the alarm of ([\d:]{8}) did not ring\n", shown)
    assert re.search(r"it rings at [\d:]{8}, \d\.\d s late: ", shown)
    assert re.search(r"^  timer \[wake-up [\w-]+, due [^]]+\] Call the vet\.$", shown, re.MULTILINE)
    assert re.search(rf"^ +{os.getpid()} \[wake-up .*Call the vet\.$", shown, re.MULTILINE)
    assert (played.scene, played.send.position) == ("wake-up", 2)


@pytest.mark.parametrize("calls", [0, 2])
async def test_the_demo_fails_where_the_agent_sets_another_number_of_alarms(system, calls):
    cast = secretary(*[sets_alarm()] * calls, Turn(text="As you like."))
    async with system(*cast) as loop:
        with pytest.raises(DemoFailed, match=f"{calls} wake-ups.*As you like"):
            await set_alarm(loop, QUIET)


async def test_the_demo_fails_where_something_was_not_stopped(system):
    async with system(*secretary()) as loop:
        alarm = await set_alarm(loop, QUIET)
    with pytest.raises(DemoFailed, match=f"not everything has stopped: beat {os.getpid()}"):
        sleep_through(QUIET, alarm, {"beat": os.getpid()})


async def test_the_demo_fails_where_the_agent_is_not_woken(system, monkeypatch):
    monkeypatch.setattr(wakeup_scene, "_WITHIN_S", 0.2)
    async with AsyncPowerLoop.local(":memory:", agents=[sample_agents.secretary]) as loop:
        alarm = await set_alarm(loop, QUIET)
        with pytest.raises(DemoFailed, match=r"not woken within 0\.2 seconds"):
            await wake(loop, QUIET, alarm, datetime.now(UTC), HERE)


async def test_the_demo_fails_where_an_old_worker_answers(woken):
    with pytest.raises(DemoFailed, match=f"by {os.getpid()}, which is none of the new workers"):
        await woken(secretary(), pids={"worker1": 1})


async def test_the_demo_fails_where_the_alarm_rang_before_everything_had_stopped(woken):
    with pytest.raises(DemoFailed, match="before everything had stopped"):
        await woken(secretary(), late=timedelta(days=1))


async def test_the_demo_fails_where_the_agent_forgot_what_to_remind_of(woken):
    with pytest.raises(DemoFailed, match="did not say what"):
        await woken(secretary(woken="Good morning."))


async def test_the_demo_fails_where_the_log_holds_other_sends(woken):
    with pytest.raises(DemoFailed, match="the session's log holds the sends"):
        await woken(secretary(), also="Are you there?")


@pytest.mark.takes("machine")
def test_the_demo_stops_all_of_the_system_and_wakes_the_agent_in_another(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(demo, "_STAGES", ())
    before = set(psutil.Process().children(recursive=True))
    demo.run()
    assert set(psutil.Process().children(recursive=True)) <= before
    shown = capsys.readouterr().out
    lines = re.findall(r"^ +(?:gone|up) (.*)$", shown, re.MULTILINE)
    gone, up = (dict(re.findall(r"(\w+) (\d+)", line)) for line in lines)
    assert gone.keys() == up.keys() == {"postgres", "redis", "worker1", "worker2", "beat"}
    assert not set(gone.values()) & set(up.values())
    ran = dict(re.findall(r"^(alarm|wake-up) +(\d+) ", shown, re.MULTILINE))
    assert ran["alarm"] in gone.values()
    assert ran["wake-up"] in up.values()
    assert "My alarm has rung, and my note says: “It is time to call the vet.”" in shown
