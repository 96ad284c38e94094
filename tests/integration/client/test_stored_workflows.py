"""Workflows that are stored by name: saved, run by name and version, put into each other."""

import asyncio
import json

import pytest

from powerloop import Agent, AsyncPowerLoop, InvalidInput, PowerLoop
from powerloop.kernel.errors import WorkflowInvalid, WorkflowNotFound
from powerloop.workflow import WorkflowSpec

ECHO = Agent(name="echo", model="scripted:echo")


@pytest.fixture(params=["memory", "sqlite"])
async def loop(request, tmp_path):
    path = ":memory:" if request.param == "memory" else tmp_path / "app.db"
    async with AsyncPowerLoop.local(path, agents=[ECHO]) as loop:
        yield loop


def echoing(text, name="greet"):
    """A workflow that comes to this text."""
    return {"name": name, "root": {"type": "agent", "id": "said", "agent": "echo", "input": text}}


def waiting(text):
    """The same, once it was told to go."""
    return {
        "name": "greet",
        "root": {
            "type": "sequence",
            "steps": [{"type": "wait", "id": "told", "signal": "go"}, echoing(text)["root"]],
        },
    }


def naming(*names, name="outer"):
    """A workflow of stored ones, one after the other."""
    steps = [{"type": "subflow", **({"name": one} if isinstance(one, str) else one)} for one in names]
    return {"name": name, "root": {"type": "sequence", "steps": steps}}


async def value_of(run):
    result = await run.result(timeout=10)
    assert result.ok, result.error
    return result.value


async def begun(run):
    """The run, where its first node waits."""
    async with asyncio.timeout(10):
        async for node in run.events():
            if node.type == "wait":
                return run
    raise AssertionError("it has ended")


async def problems_of(awaitable):
    """What is wrong, by its place."""
    with pytest.raises(WorkflowInvalid) as refused:
        await awaitable
    return dict(one.split(": ", 1) for one in refused.value.problems)


async def test_a_run_keeps_the_version_that_it_was_started_with(loop):
    await loop.save_workflow(waiting("one"))
    first = await begun(await loop.start_workflow("greet"))
    assert (await loop.save_workflow(waiting("two"))).version == 2
    second = await begun(await loop.start_workflow("greet"))
    pinned = await begun(await loop.start_workflow("greet@1"))
    for run in (first, second, pinned):
        assert await run.signal("go")
    assert [await value_of(run) for run in (first, second, pinned)] == ["one", "two", "one"]


async def test_a_subflow_keeps_the_version_that_its_run_was_started_with(loop):
    await loop.save_workflow(waiting("one"))
    await loop.save_workflow(naming("greet"))
    first = await begun(await loop.start_workflow("outer"))
    await loop.save_workflow(echoing("two"))
    assert await value_of(await loop.start_workflow("outer")) == "two"
    await first.signal("go")
    assert await value_of(first) == "one"


async def test_a_workflow_that_is_not_stored_may_name_stored_ones(loop):
    await loop.save_workflow(echoing("hello {{input.who}}"))
    await loop.save_workflow(echoing("bye", "leave"))
    given = {"name": "greet", "version": 1, "id": "s", "input": {"who": "{{input}}"}}
    assert await value_of(await loop.start_workflow(naming(given), "Ada")) == "hello Ada"


async def test_a_run_tells_which_version_it_is_of(loop):
    await loop.save_workflow(echoing("hello"), name="polite")
    run = await loop.start_workflow("polite", metadata={"customer": 7})
    await value_of(run)
    sends = await loop.list_sends(metadata={"stored": "polite@1", "workflow": "polite", "customer": 7})
    assert run.id in [send.id for send in sends]
    assert [one.id for one in await loop.list_runs(name="polite")] == [run.id]


async def test_a_key_gives_the_same_run_also_of_a_later_version(loop):
    await loop.save_workflow(echoing("one"))
    first = await loop.start_workflow("greet", idempotency_key="k")
    await loop.save_workflow(echoing("two"))
    assert (await loop.start_workflow("greet", idempotency_key="k")).id == first.id
    assert await value_of(first) == "one"


async def test_stored_workflows_are_read_and_listed(loop):
    first = await loop.save_workflow(echoing("one"), note="the first")
    again = await loop.save_workflow(json.dumps(echoing("one")))
    second = await loop.save_workflow(WorkflowSpec.parse(echoing("two")))
    other = await loop.save_workflow(echoing("one"), name="other")

    assert again == first
    assert (first.version, second.version, other.version) == (1, 2, 1)
    assert (first.spec, other.spec) == (echoing("one"), echoing("one", "other"))
    assert await loop.get_workflow("greet") == second
    assert await loop.get_workflow("greet", 1) == await loop.get_workflow("greet@1") == first
    assert await loop.list_workflows() == [other, second]
    assert await loop.list_workflows("greet") == [second, first]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("gret", "no workflow is stored as 'gret'. Did you mean 'greet'?"),
        (
            "greet@7",
            "the workflow 'greet' has no version 7. List those that it has: list_workflows('greet').",
        ),
        ("greet@0", "the workflow 'greet' has no version 0."),
        ("zzz@1", "no workflow is stored as 'zzz'. The stored workflows are: greet."),
        ("greet@x", "no workflow is stored as 'greet@x'. Did you mean 'greet'?"),
        ("greet@" + "9" * 5000, "Did you mean"),
        ("", "no workflow is stored as ''."),
        ("@1", "no workflow is stored as ''."),
    ],
)
async def test_what_is_not_stored_is_answered_with_what_is(loop, asked, says):
    await loop.save_workflow(echoing("hello"))
    for verb in (loop.start_workflow, loop.get_workflow):
        with pytest.raises(WorkflowNotFound) as raised:
            await verb(asked)
        if len(asked) < 100:
            assert says in str(raised.value)


async def test_all_problems_of_a_workflow_are_told_with_those_of_the_ones_it_names(loop):
    await loop.save_workflow(echoing("hello"))
    spec = naming("gret", {"name": "greet", "version": 3}, {"name": "greet", "id": "a b"})
    spec["root"]["steps"].append({"type": "agent", "id": "x", "agent": "ecko", "input": "{{y}}"})
    for verb in (loop.start_workflow, loop.save_workflow):
        told = await problems_of(verb(spec))
        assert set(told) == {
            "root.steps[0].name",
            "root.steps[1].version",
            "root.steps[2].id",
            "root.steps[3].agent",
            "root.steps[3].input",
        }
    assert await loop.list_workflows("outer") == []


async def test_a_workflow_cannot_be_in_itself(loop):
    assert set(await problems_of(loop.save_workflow(naming("outer")))) == {"root.steps[0].name"}
    await loop.save_workflow(echoing("hello"))
    await loop.save_workflow(naming("greet"))
    told = await problems_of(loop.save_workflow(naming("outer", name="greet")))
    assert told == {
        "root.steps[0].spec.root.steps[0].name": "names a workflow that it is in: greet@2 → outer@1 → greet@2"
    }
    # Of the versions that there are, an earlier one may be in a later one.
    assert (await loop.save_workflow(naming({"name": "greet", "version": 1}, name="greet"))).version == 2
    assert await value_of(await loop.start_workflow("greet")) == "hello"


async def test_the_whole_is_measured_with_what_is_in_it(loop):
    many = {"type": "foreach", "as": "x", "items": list(range(4000)), "body": echoing("hi")["root"]}
    await loop.save_workflow({"name": "many", "root": many})
    each = {"type": "foreach", "as": "y", "items": [1, 2, 3], "body": {"type": "subflow", "name": "many"}}
    told = await problems_of(loop.start_workflow({"name": "more", "root": each}))
    assert told == {"root": "comes to 12000 leaves; it may have 10000"}


@pytest.mark.parametrize("name", ["", "a@b", "{a", " a", "a ", "a\n", "a" * 101, "\ud800"])
async def test_a_name_by_which_it_could_not_be_started_is_refused(loop, name):
    with pytest.raises(InvalidInput, match="is no name") as refused:
        await loop.save_workflow(echoing("hello"), name=name)
    assert "no @" in refused.value.hint


@pytest.mark.parametrize("source", ["{", ' \n{"name": 1}', [], None])
async def test_what_is_no_workflow_is_refused_in_words(loop, source):
    for verb in (loop.start_workflow, loop.save_workflow):
        assert await problems_of(verb(source))


async def test_a_name_is_no_workflow_to_be_saved(loop):
    assert "is no JSON" in (await problems_of(loop.save_workflow("greet")))["the value"]


def test_a_program_without_an_event_loop_stores_workflows(tmp_path):
    with PowerLoop.local(tmp_path / "app.db", agents=[ECHO]) as loop:
        saved = loop.save_workflow(echoing("hello"))
        assert loop.get_workflow("greet@1") == saved
        assert loop.list_workflows() == [saved]
        saved = loop.save_workflow(echoing("hello"))
        assert loop.get_workflow("greet@1") == saved
        assert loop.list_workflows() == [saved]


async def test_one_stored_workflow_may_be_there_many_times(loop):
    each = {
        "type": "foreach",
        "as": "x",
        "items_from": "input",
        "body": {"type": "agent", "id": "said", "agent": "echo", "input": "{{x}}"},
    }
    await loop.save_workflow({"name": "each", "root": {"type": "sequence", "steps": [{**each, "id": "all"}]}})
    twice = {
        "type": "foreach",
        "as": "x",
        "id": "said",
        "items": [["a"], ["b", "c"]],
        "body": {"type": "subflow", "name": "each", "input": "{{x}}"},
    }
    steps = [twice, {"type": "subflow", "name": "each", "input": "{{said[1]}}", "id": "all"}]
    run = await loop.start_workflow({"name": "w", "root": {"type": "sequence", "steps": steps}})
    assert await value_of(run) == ["b", "c"]
    names = [node.name async for node in run.events()]
    assert names.count("said") >= 4
