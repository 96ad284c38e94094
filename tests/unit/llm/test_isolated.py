"""`IsolatedModel`: what it asks of its process, and what it makes of every way in which that can end."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from powerloop.kernel.errors import InvalidInput, ModelDeadline, ModelRejected
from powerloop.kernel.isolation import EndedBy, Exited, IsolationPolicy, ProcessLimits
from powerloop.kernel.isolation_errors import LaunchFailed, LeafFailed
from powerloop.kernel.messages import NewMessage, Role, TextBlock, user_message
from powerloop.kernel.ports.model import FinishReason, ModelRequest
from powerloop.kernel.sends import SendError, SendStatus, StopReason
from powerloop.kernel.usage import CallOutcome, ModelCallEntry, Usage
from powerloop.llm import ModelCatalog
from powerloop.llm.isolated import IsolatedModel, IsolatedModels
from powerloop.llm.isolated_wire import (
    LeafOutcome,
    outcome_from_json,
    outcome_to_json,
    request_from_json,
)

MINUTE = timedelta(minutes=1)

FAILED = ModelCallEntry(
    model="openai:gpt-test",
    usage=Usage(input_tokens=10),
    outcome=CallOutcome.FAILED,
    latency=timedelta(milliseconds=1500),
    error_code="model.unavailable",
    estimated=True,
)
OK = ModelCallEntry(
    model="openai:gpt-test",
    usage=Usage(input_tokens=10, output_tokens=5, cached_tokens=4),
    outcome=CallOutcome.OK,
    latency=timedelta(seconds=2),
    cost=Decimal("0.000012345"),
)
DONE = LeafOutcome(
    status=SendStatus.COMPLETED,
    text="the answer",
    stop_reason=StopReason.END_TURN,
    usage=FAILED.usage + OK.usage,
    entries=(FAILED, OK),
)


class ToldLauncher:
    """A launcher whose processes end as they are told."""

    def __init__(self, exited):
        self.exited = exited
        self.launches = []

    async def run(self, launch):
        self.launches.append(launch)
        if isinstance(self.exited, Exception):
            raise self.exited
        return self.exited

    async def check(self):
        pass


class Written:
    def __init__(self):
        self.texts = []

    def text(self, delta):
        self.texts.append(delta)


def ending(outcome=DONE, code=0, ended_by=None, stderr=b""):
    stdout = outcome if isinstance(outcome, bytes) else outcome_to_json(outcome)
    return Exited(code=code, stdout=stdout, stderr=stderr, ended_by=ended_by)


def model_of(exited, **limits):
    launcher = ToldLauncher(exited)
    policy = IsolationPolicy(environment=("KEY",), limits=ProcessLimits(**limits))
    return IsolatedModel(launcher, ["leaf"], policy, env={"MODE": "leaf"}), launcher


def request(**changes):
    asked = ModelRequest(
        model="isolated:support",
        system="",
        messages=[
            user_message("earlier"),
            NewMessage(role=Role.ASSISTANT, content=(TextBlock(text="before"),)),
            user_message("hello"),
        ],
        deadline=MINUTE,
    )
    return replace(asked, **changes)


async def test_the_answer_is_the_text_and_its_attempts_are_those_over_there():
    model, _ = model_of(ending())
    written = Written()
    reply = await model.respond(request(), written)
    assert reply.content == (TextBlock(text="the answer"),)
    assert (reply.finish, reply.estimated) == (FinishReason.STOP, True)
    assert reply.attempts == (FAILED, OK)
    assert reply.usage == DONE.usage
    assert written.texts == ["the answer"]


async def test_the_process_is_asked_for_the_last_input_of_the_agent_that_the_model_names():
    model, launcher = model_of(ending())
    await model.respond(request())
    (launch,) = launcher.launches
    asked = request_from_json(launch.stdin)
    assert (asked.agent, asked.spec, asked.deadline) == ("support", None, MINUTE)
    assert asked.content == (TextBlock(text="hello"),)
    assert (launch.argv, launch.env, launch.policy.environment) == (("leaf",), {"MODE": "leaf"}, ("KEY",))


async def test_the_system_prompt_tells_the_agent_and_how_it_differs():
    model, launcher = model_of(ending())
    spec = {"base": "support", "max_rounds": 2}
    await model.respond(request(system=json.dumps({"agent": "leaf-7", "spec": spec})))
    asked = request_from_json(launcher.launches[0].stdin)
    assert (asked.agent, asked.spec) == ("leaf-7", spec)


@pytest.mark.parametrize("system", ["You are kind.", "[]", '{"agent": 1}', '{"spec": "x"}'])
async def test_another_system_prompt_is_rejected_and_nothing_is_run(system):
    model, launcher = model_of(ending())
    with pytest.raises(ModelRejected):
        await model.respond(request(system=system))
    assert launcher.launches == []


@pytest.mark.parametrize(("own", "left"), [(None, 60), (10, 10), (600, 60)])
async def test_the_deadline_bounds_the_time_of_the_process(own, left):
    model, launcher = model_of(ending(), wall_clock=own and timedelta(seconds=own))
    await model.respond(request())
    assert launcher.launches[0].policy.limits.wall_clock == timedelta(seconds=left)


async def test_without_time_nothing_is_run():
    model, launcher = model_of(ending())
    with pytest.raises(ModelDeadline):
        await model.respond(request(deadline=timedelta(0)))
    assert launcher.launches == []


@pytest.mark.parametrize(
    ("stop_reason", "finish"),
    [
        (StopReason.REFUSAL, FinishReason.REFUSAL),
        (StopReason.OUTPUT_LIMIT, FinishReason.LENGTH),
        (StopReason.ROUND_LIMIT, FinishReason.LENGTH),
        (StopReason.BUDGET, FinishReason.LENGTH),
    ],
)
async def test_an_answer_that_is_not_whole_says_so(stop_reason, finish):
    model, _ = model_of(ending(replace(DONE, stop_reason=stop_reason, text="")))
    reply = await model.respond(request())
    assert (reply.content, reply.finish) == ((), finish)


async def test_a_send_that_failed_over_there_fails_with_its_code_and_is_paid_for():
    error = SendError(code="model.rejected", message="no turn is left")
    model, _ = model_of(ending(LeafOutcome(error=error, usage=FAILED.usage, entries=(FAILED,))))
    with pytest.raises(LeafFailed, match="no turn is left") as raised:
        await model.respond(request())
    assert (raised.value.code, raised.value.attempts) == ("model.rejected", (FAILED,))


@pytest.mark.parametrize(
    ("exited", "words"),
    [
        (ending(code=1), "ended with code 1"),
        (ending(code=-9, ended_by=EndedBy.SIGNAL), "signal 9"),
        (ending(code=-24, ended_by=EndedBy.CPU), "processor"),
        (ending(code=-15, ended_by=EndedBy.OUTPUT), "wrote too much"),
        (ending(code=-15, ended_by=EndedBy.WALL_CLOCK), "took too long"),
        (ending(b""), "no outcome"),
        (ending(b"hello"), "no outcome"),
        (ending(b'{"status": "completed"}'), "no outcome"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_process_that_does_not_end_well_is_a_failure(exited, words):
    model, _ = model_of(replace(exited, stderr=b"Traceback\n\x1b[31mBoom\n"), wall_clock=MINUTE / 2)
    with pytest.raises(LaunchFailed, match=words) as raised:
        await model.respond(request())
    assert raised.value.code == "isolation.failed"
    assert str(raised.value).endswith("Traceback\nBoom")


async def test_a_deadline_that_ran_out_is_told_as_one():
    model, _ = model_of(ending(b"", code=-15, ended_by=EndedBy.WALL_CLOCK), wall_clock=2 * MINUTE)
    with pytest.raises(ModelDeadline):
        await model.respond(request())


async def test_what_a_process_tells_of_its_cost_when_it_is_ended_is_paid_for():
    cut_off = LeafOutcome(error=SendError(code="isolation.cut_off", message=""), entries=(OK,))
    model, _ = model_of(ending(cut_off, ended_by=EndedBy.WALL_CLOCK))
    with pytest.raises(ModelDeadline) as raised:
        await model.respond(request())
    assert raised.value.attempts == (OK,)


async def test_the_trouble_of_a_launcher_is_not_got_around():
    model, launcher = model_of(LaunchFailed("bwrap is not installed."))
    with pytest.raises(LaunchFailed, match="not installed"):
        await model.respond(request())
    assert len(launcher.launches) == 1


def test_an_outcome_comes_back_as_it_was():
    error = LeafOutcome(error=SendError(code="internal", message="boom"), entries=(FAILED,))
    for outcome in (DONE, error):
        assert outcome_from_json(outcome_to_json(outcome)) == outcome


@pytest.mark.parametrize(
    "change",
    [
        {"status": "failed"},
        {"text": None},
        {"stop_reason": "tired"},
        {"usage": {}},
        {"entries": [{}]},
        {"entries": None},
        {"error": {"code": "DROP TABLE", "message": ""}},
        {"error": "boom"},
    ],
    ids=str,
)
def test_an_outcome_that_is_none_is_refused(change):
    told = json.loads(outcome_to_json(DONE)) | change
    with pytest.raises(InvalidInput):
        outcome_from_json(json.dumps(told).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"latency_ms": -1},
        {"latency_ms": float("nan")},
        {"cost_nanodollars": -1},
        {"cost_nanodollars": 10**30},
        {"estimated": "no"},
        {"outcome": "free"},
        {"model": None},
    ],
    ids=str,
)
def test_an_entry_that_cannot_be_billed_is_refused(change):
    told = json.loads(outcome_to_json(DONE))
    told["entries"][0] |= change
    with pytest.raises(InvalidInput):
        outcome_from_json(json.dumps(told).encode())


@pytest.mark.parametrize("count", [-1, 1.5, True, 10**30, "1"])
def test_tokens_that_cannot_be_counted_are_refused(count):
    told = json.loads(outcome_to_json(DONE))
    told["entries"][0]["usage"]["output_tokens"] = count
    with pytest.raises(InvalidInput):
        outcome_from_json(json.dumps(told).encode())


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"agent": 1, "spec": null, "input": [], "deadline_s": 1}']
)
def test_a_request_that_is_none_is_refused(data):
    with pytest.raises(InvalidInput):
        request_from_json(data)


async def test_isolated_models_stand_beside_those_of_the_catalogue():
    isolated, _ = model_of(ending())
    models = IsolatedModels(ModelCatalog(), isolated)
    assert models.get("isolated:support") is isolated
    assert models.get("scripted:echo") is not isolated
    assert models.cost_of("isolated:support", Usage(input_tokens=1)) is None
    await models.close()
