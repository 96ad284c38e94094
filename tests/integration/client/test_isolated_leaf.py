"""A leaf in a process of its own, end to end: the model, a launcher, and the child with an application."""

import json
import os
import shutil
import sys
from datetime import timedelta
from pathlib import Path

import pytest

import powerloop
from powerloop.kernel.errors import ModelDeadline
from powerloop.kernel.isolation import IsolationPolicy, ProcessLimits
from powerloop.kernel.isolation_errors import LaunchFailed, LeafFailed
from powerloop.kernel.messages import text_of, user_message
from powerloop.kernel.ports.model import FinishReason, ModelRequest
from powerloop.kernel.usage import CallOutcome
from powerloop.llm.isolated import IsolatedModel
from powerloop.tools.isolation import BubblewrapLauncher, DirectLauncher, python_paths

pytestmark = pytest.mark.integration

ARGV = (sys.executable, "-m", "powerloop.client.isolated_child")
ENVIRON = {"PATH": os.environ["PATH"], "ALLOWED": "seen", "SECRET": "sk-parent"}
MEMORY = 4 * 1024**3

APP = '''
import asyncio, os, signal, subprocess, sys
from powerloop import Agent, tool
from powerloop.llm import Failure, Script, ScriptedCall, Turn
from powerloop.tools import ask_user

@tool(effect="read")
async def shout() -> str:
    """Print."""
    print('{"status": "completed"}', flush=True)
    subprocess.run(["echo", "more"], check=True)
    os.write(1, b"and more")
    return "printed"

@tool(effect="read")
async def look(name: str) -> str:
    """Read a variable."""
    return os.environ.get(name, "nothing")

@tool(effect="read")
async def stop(number: int) -> str:
    """Send this process a signal, and wait."""
    os.kill(os.getpid(), number)
    await asyncio.Event().wait()
    return ""

@tool(effect="read")
async def leave() -> str:
    """End this process as if all were well."""
    os._exit(0)

def calling(name, /, **arguments):
    first = Turn(text="Wait.", calls=(ScriptedCall(name=name, arguments=arguments),))
    return Script(turns=(first, Turn(text="result: $result")))

shouting, leaving = calling("shout"), calling("leave")
seeing, spying = calling("look", name="ALLOWED"), calling("look", name="SECRET")
dying, ending, hanging = (calling("stop", number=n) for n in (signal.SIGKILL, signal.SIGTERM, 0))
asking = calling("ask_user", prompt="May I?")
delegating, relaying = calling("sees", input="Look!"), calling("asks", input="Ask!")
refused = Script(turns=(Turn(failure=Failure(code="model.rejected", message="Not today.")),))

shouts = Agent(name="shouts", model="scripted:shouting", tools=[shout])
leaves = Agent(name="leaves", model="scripted:leaving", tools=[leave])
sees = Agent(name="sees", model="scripted:seeing", tools=[look, shout])
spies = Agent(name="spies", model="scripted:spying", tools=[look])
dies = Agent(name="dies", model="scripted:dying", tools=[stop])
ends = Agent(name="ends", model="scripted:ending", tools=[stop])
hangs = Agent(name="hangs", model="scripted:hanging", tools=[stop])
asks = Agent(name="asks", model="scripted:asking", tools=[ask_user()])
delegates = Agent(name="delegates", model="scripted:delegating", tools=[sees.as_tool()])
relays = Agent(name="relays", model="scripted:relaying", tools=[asks.as_tool()])
fails = Agent(name="fails", model="scripted:refused")
echoes = Agent(name="echoes", model="scripted:echo")
'''


@pytest.fixture
def ask(tmp_path):
    """Asks an agent of the application, each time in a process of its own."""
    (tmp_path / "leaf_app.py").write_text(APP)
    policy = IsolationPolicy(
        network=True, environment=("PATH", "ALLOWED"), limits=ProcessLimits(memory_bytes=MEMORY)
    )
    return asking(DirectLauncher(environ=ENVIRON), policy, tmp_path)


def asking(launcher, policy, folder):
    # What is tested is here, wherever the environment has its powerloop from.
    path = os.pathsep.join(map(str, (folder, Path(powerloop.__file__).parents[1])))
    base = {"PYTHONPATH": path, "POWERLOOP_APP": "leaf_app"}

    async def ask(agent, input="hello", *, spec=None, deadline=timedelta(minutes=1), **env):
        model = IsolatedModel(launcher, ARGV, policy, env={**base, **env})
        system = json.dumps({"agent": agent, "spec": spec}) if spec else ""
        messages = [user_message(input)]
        return await model.respond(
            ModelRequest(model=f"isolated:{agent}", system=system, messages=messages, deadline=deadline)
        )

    return ask


async def test_a_leaf_answers_and_its_parent_is_told_of_every_model_call(ask):
    reply = await ask("shouts")
    assert text_of(reply.content) == "result: printed"
    assert reply.finish is FinishReason.STOP
    assert [(entry.model, entry.outcome) for entry in reply.attempts] == [
        ("scripted:shouting", CallOutcome.OK)
    ] * 2
    assert reply.usage.input_tokens == sum(entry.usage.input_tokens for entry in reply.attempts) > 0


async def test_a_leaf_sees_the_variables_that_it_is_allowed_and_no_secret_of_its_parent(ask):
    assert text_of((await ask("sees")).content) == "result: seen"
    assert text_of((await ask("spies")).content) == "result: nothing"


async def test_the_agent_of_a_leaf_may_differ_from_one_of_the_application(ask):
    spec = {"base": "sees", "model": "scripted:shouting", "tools": ["shout"]}
    assert text_of((await ask("leaf-7", spec=spec)).content) == "result: printed"


async def test_a_leaf_is_not_given_tools_that_its_base_does_not_have(ask):
    with pytest.raises(LeafFailed, match="no tool 'leave'") as raised:
        await ask("leaf-7", spec={"base": "sees", "tools": ["leave"]})
    assert raised.value.code == "input.invalid"


async def test_an_input_comes_through_whole(ask):
    text = "two\nlines, \N{SNOWMAN} and a \x1b"
    assert text_of((await ask("echoes", text)).content) == text


async def test_sub_agents_run_in_the_same_process_and_are_billed(ask):
    reply = await ask("delegates")
    assert "seen" in text_of(reply.content)
    models = sorted(entry.model for entry in reply.attempts)
    assert models == ["scripted:delegating"] * 2 + ["scripted:seeing"] * 2


@pytest.mark.parametrize("agent", ["asks", "relays"])
async def test_a_leaf_that_waits_for_a_person_fails_and_says_so(ask, agent):
    with pytest.raises(LeafFailed, match="waits for a person") as raised:
        await ask(agent)
    assert raised.value.code == "isolation.waits"
    assert raised.value.attempts


async def test_a_leaf_whose_model_fails_fails_with_its_code_and_is_billed(ask):
    with pytest.raises(LeafFailed, match="Not today") as raised:
        await ask("fails")
    assert raised.value.code == "model.rejected"
    assert [entry.error_code for entry in raised.value.attempts] == ["model.rejected"]


@pytest.mark.parametrize(
    ("variables", "code"), [({}, "agent.unknown"), ({"POWERLOOP_APP": "no"}, "app.broken")]
)
async def test_a_leaf_of_nobody_fails(ask, variables, code):
    with pytest.raises(LeafFailed) as raised:
        await ask("nobody", **variables)
    assert raised.value.code == code


async def test_a_leaf_that_is_killed_is_a_failure(ask):
    with pytest.raises(LaunchFailed, match="signal 9"):
        await ask("dies")


async def test_a_leaf_that_ends_without_an_outcome_is_a_failure(ask):
    with pytest.raises(LaunchFailed, match="no outcome"):
        await ask("leaves")


async def test_a_leaf_that_is_asked_to_end_tells_what_it_has_cost(ask):
    with pytest.raises(LeafFailed) as raised:
        await ask("ends")
    assert raised.value.code == "isolation.cut_off"
    assert [entry.model for entry in raised.value.attempts] == ["scripted:ending"]


async def test_a_leaf_that_takes_longer_than_its_deadline_is_ended(ask):
    with pytest.raises(ModelDeadline):
        await ask("hangs", deadline=timedelta(seconds=1))


async def test_a_leaf_runs_behind_the_walls_of_bubblewrap(tmp_path):
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap (bwrap) is not installed")
    (tmp_path / "leaf_app.py").write_text(APP)
    seen = (*python_paths(), str(tmp_path))
    policy = IsolationPolicy(environment=("PATH", "ALLOWED"), read_only=seen)
    ask = asking(BubblewrapLauncher(environ=ENVIRON), policy, tmp_path)
    assert text_of((await ask("shouts")).content) == "result: printed"
    with pytest.raises(LaunchFailed, match="signal 9"):
        await ask("dies")
