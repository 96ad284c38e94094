"""Workflows that are stored by name, and their versions."""

import asyncio

import pytest

from powerloop.kernel.ports.workflow_specs import digest_of


def spec(text: str = "a", **more):
    return {"name": "demo", "root": {"type": "human", "id": "h", "prompt": text}, **more}


async def test_a_workflow_is_kept_as_it_was_saved(desk):
    given = spec("ä {{input}} 😀", input={"x": [1, 2.5, None, True, {}]})
    saved = await desk.store.workflow_specs.save("demo", given, note="the first")

    assert (saved.name, saved.version, saved.label, saved.note) == ("demo", 1, "demo@1", "the first")
    assert (saved.spec, saved.digest) == (given, digest_of(given))
    assert saved.created_at.tzinfo is not None
    assert await desk.store.workflow_specs.find("demo") == saved
    assert await desk.store.workflow_specs.find("demo", 1) == saved


async def test_each_change_is_a_version_and_the_earlier_ones_stay(desk):
    specs = desk.store.workflow_specs
    saved = [await specs.save("demo", spec(text)) for text in ("a", "b", "a")]

    assert [one.version for one in saved] == [1, 2, 3]
    assert (saved[0].digest == saved[2].digest) is (saved[0].spec == saved[2].spec) is True
    assert await specs.find("demo") == saved[2]
    assert [await specs.find("demo", number) for number in (1, 2, 3)] == saved


async def test_saving_the_latest_again_writes_nothing(desk):
    specs = desk.store.workflow_specs
    first = await specs.save("demo", spec(), note="first")
    turned = dict(reversed(spec().items()))
    assert await specs.save("demo", turned, note="again") == first
    assert await specs.list(name="demo") == [first]


async def test_of_twenty_changes_at_once_none_is_lost(desk):
    specs = desk.store.workflow_specs
    saved = await asyncio.gather(*(specs.save("demo", spec(str(number))) for number in range(20)))

    assert sorted(one.version for one in saved) == list(range(1, 21))
    assert await specs.list(name="demo") == sorted(saved, key=lambda one: -one.version)
    assert len({one.digest for one in saved}) == 20


async def test_of_twenty_equal_ones_at_once_one_is_written(desk):
    specs = desk.store.workflow_specs
    saved = await asyncio.gather(*(specs.save("demo", spec()) for _ in range(20)))
    assert saved == [await specs.find("demo", 1)] * 20


@pytest.mark.parametrize(
    ("name", "version"),
    [("other", None), ("other", 1), ("demo", 2), ("demo", 0), ("demo", -1), ("demo", 10**30), ("de\0mo", 1)],
)
async def test_what_is_not_there_is_not_found(desk, name, version):
    await desk.store.workflow_specs.save("demo", spec())
    assert await desk.store.workflow_specs.find(name, version) is None


async def test_the_latest_of_each_name_is_listed_or_every_version_of_one(desk):
    specs = desk.store.workflow_specs
    assert (await specs.list(), await specs.names()) == ([], frozenset())
    older = await specs.save("b", spec("1"))
    newer = await specs.save("b", spec("2"))
    other = await specs.save("a", spec("1"))

    assert await specs.list() == [other, newer]
    assert await specs.list(limit=1) == [other]
    assert await specs.list(name="b") == [newer, older]
    assert await specs.list(name="b", limit=1) == [newer]
    assert await specs.list(name="c") == []
    assert await specs.names() == {"a", "b"}


async def test_what_a_database_refuses_in_text_is_replaced(desk):
    saved = await desk.store.workflow_specs.save("demo", spec("a\0b\ud800"), note="\0")
    assert (saved.spec["root"]["prompt"], saved.note) == ("a\ufffdb\ufffd", "\ufffd")
    assert await desk.store.workflow_specs.save("demo", spec("a\0b\ud800")) == saved


async def test_what_was_read_can_be_changed_without_harm(desk):
    saved = await desk.store.workflow_specs.save("demo", spec())
    saved.spec["root"]["prompt"] = "changed"
    found = await desk.store.workflow_specs.find("demo")
    found.spec["root"].clear()
    assert (await desk.store.workflow_specs.find("demo")).spec == spec()
