"""`Sessions.list`: order, filters and pages."""

import pytest

from powerloop.kernel.ids import SessionId
from powerloop.kernel.sessions import SessionStatus


async def listed(desk, **filters):
    return [session.id for session in await desk.store.sessions.list(**filters)]


async def test_the_latest_created_comes_first(desk):
    for name in ("b", "a", "c"):
        await desk.session(name)
    sessions = await desk.store.sessions.list()

    order = [(session.created_at, session.id) for session in sessions]
    assert order == sorted(order, reverse=True)
    assert {session.id for session in sessions} == {"a", "b", "c"}


async def test_pages_follow_each_other_without_gap_or_overlap(desk):
    for number in range(7):
        await desk.session(f"session-{number}")
    whole = await listed(desk)
    pages, before = [], None
    while page := await listed(desk, before=before, limit=3):
        pages.append(page)
        before = SessionId(page[-1])

    assert [len(page) for page in pages] == [3, 3, 1]
    assert [name for page in pages for name in page] == whole
    assert await listed(desk, before=SessionId("unknown")) == []
    assert await listed(desk, limit=0) == []


async def test_sessions_are_found_by_agent_and_status(desk):
    await desk.session("one", agent="support")
    await desk.session("two", agent="sales")
    await desk.session("three", agent="support")
    await desk.store.sessions.close(SessionId("three"))

    assert set(await listed(desk, agent="support")) == {"one", "three"}
    assert await listed(desk, agent="support", status=SessionStatus.OPEN) == ["one"]
    assert await listed(desk, status=SessionStatus.CLOSED) == ["three"]
    assert await listed(desk, agent="nobody") == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["bare", "full"]),
        ({"customer": "42"}, ["full"]),
        ({"customer": "42", "tags": ["a", "b"]}, ["full"]),
        ({"customer": "43"}, []),
        ({"absent": None}, []),
        ({"empty": None}, ["full"]),
        ({"tags": ["a"]}, []),
        ({"tags": ["b", "a"]}, []),
        ({"place": {"city": "Berlin"}}, []),
        ({"place": {"zip": 1, "city": "Berlin"}}, ["full"]),
        ({"number": 1}, ["full"]),
        ({"number": 1.0}, ["full"]),
        ({"number": True}, []),
        ({"flag": True}, ["full"]),
        ({"flag": 1}, []),
        ({"a.b": 'say "hi"'}, ["full"]),
    ],
    ids=str,
)
async def test_metadata_matches_where_all_named_keys_are_equal(desk, wanted, found):
    await desk.session("bare")
    await desk.session(
        "full",
        customer="42",
        empty=None,
        tags=["a", "b"],
        place={"city": "Berlin", "zip": 1},
        number=1,
        flag=True,
        **{"a.b": 'say "hi"'},
    )
    assert sorted(await listed(desk, metadata=wanted)) == found


async def test_filters_hold_on_every_page(desk):
    for number in range(6):
        await desk.session(f"session-{number}", agent="even" if number % 2 == 0 else "odd", kind="x")
    first = await listed(desk, agent="even", metadata={"kind": "x"}, limit=2)
    second = await listed(desk, agent="even", metadata={"kind": "x"}, limit=2, before=SessionId(first[-1]))
    assert first + second == await listed(desk, agent="even")
    assert len(first + second) == 3
