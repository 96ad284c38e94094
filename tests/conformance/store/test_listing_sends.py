"""`Sends.list`: order, filters and pages."""

from powerloop.kernel.ids import SendId, SessionId
from powerloop.kernel.sends import SendStatus


async def listed(desk, **filters):
    return [send.id for send in await desk.store.sends.list(**filters)]


async def test_within_a_session_the_latest_place_comes_first(desk):
    session, other = await desk.session(), await desk.session()
    # Ids that sort against the order of the places.
    for name in ("c", "b", "a"):
        await desk.accept(session, name)
    await desk.accept(other, "z")

    assert await listed(desk, session_id=session.id) == ["a", "b", "c"]
    assert await listed(desk, session_id=SessionId("unknown")) == []


async def test_across_sessions_the_latest_accepted_comes_first(desk):
    for name in ("a", "b", "c"):
        await desk.accept(await desk.session(), name)
    sends = await desk.store.sends.list()

    order = [(send.created_at, send.id) for send in sends]
    assert order == sorted(order, reverse=True)
    assert [send.id for send in sends] == ["c", "b", "a"]


async def test_pages_follow_each_other_without_gap_or_overlap(desk):
    session = await desk.session()
    for number in range(5):
        await desk.accept(session, f"send-{number}")
    for filters in ({}, {"session_id": session.id}):
        whole = await listed(desk, **filters)
        first = await listed(desk, limit=3, **filters)
        second = await listed(desk, limit=3, before=SendId(first[-1]), **filters)
        assert (first + second, len(first)) == (whole, 3)
        assert await listed(desk, before=SendId(second[-1]), **filters) == []
        assert await listed(desk, before=SendId("unknown"), **filters) == []


async def test_a_page_after_a_send_of_another_session_is_empty(desk):
    session, other = await desk.session(), await desk.session()
    await desk.accept(session)
    await desk.accept(other, "elsewhere")
    assert await listed(desk, session_id=session.id, before=SendId("elsewhere")) == []


async def test_sends_are_found_by_status(desk):
    claim = await desk.running(send_id="done")
    await desk.accept(await desk.session_of(claim), "waits")
    assert await listed(desk, status=SendStatus.RUNNING) == ["done"]
    await desk.store.journal.finish(claim.fence, desk.completed())

    assert await listed(desk, status=SendStatus.COMPLETED) == ["done"]
    assert await listed(desk, status=SendStatus.QUEUED, session_id=claim.fence.session_id) == ["waits"]
    assert await listed(desk, status=SendStatus.RUNNING) == []


async def test_sends_are_found_by_several_statuses(desk):
    claim = await desk.running(send_id="runs")
    await desk.accept(await desk.session_of(claim), "waits")
    await desk.accept(await desk.session(), "gone")
    await desk.store.sends.cancel(SendId("gone"))

    ended = [status for status in SendStatus if status.is_final]
    assert await listed(desk, status=ended) == ["gone"]
    assert await listed(desk, status={SendStatus.RUNNING, SendStatus.QUEUED}) == ["waits", "runs"]
    assert await listed(desk, status=(SendStatus.CANCELLED, SendStatus.RUNNING)) == ["gone", "runs"]
    assert await listed(desk, status=()) == []


async def test_sends_are_found_by_agent(desk):
    await desk.accept(await desk.session(agent="support"), "a")
    await desk.accept(await desk.session(agent="sales"), "b")
    assert await listed(desk, agent="sales") == ["b"]
    assert await listed(desk, agent="sal") == []


async def test_sends_are_found_by_metadata(desk):
    session = await desk.session()
    await desk.accept(session, "a", metadata={"customer": "42", "tags": ["x", "y"], "deep": {"a": 1, "b": 2}})
    await desk.accept(session, "b", metadata={"customer": 42, "ok": True})
    await desk.accept(session, "c")

    assert await listed(desk, metadata={}) == ["c", "b", "a"]
    assert await listed(desk, metadata={"customer": "42"}) == ["a"]
    assert await listed(desk, metadata={"customer": 42}) == ["b"]
    assert await listed(desk, metadata={"customer": 42.0, "ok": True}) == ["b"]
    assert await listed(desk, metadata={"ok": 1}) == []
    assert await listed(desk, metadata={"tags": ["x", "y"]}) == ["a"]
    assert await listed(desk, metadata={"tags": ["x"]}) == []
    assert await listed(desk, metadata={"deep": {"b": 2, "a": 1}}) == ["a"]
    assert await listed(desk, metadata={"deep": {"a": 1}}) == []


async def test_filters_hold_together(desk):
    session = await desk.session(agent="support")
    for number in range(6):
        metadata = {"even": number % 2 == 0}
        await desk.accept(session, f"send-{number}", metadata=metadata)
    await desk.accept(await desk.session(agent="sales"), "other", metadata={"even": True})
    filters = {"agent": "support", "metadata": {"even": True}, "status": [SendStatus.QUEUED]}

    assert await listed(desk, **filters) == ["send-4", "send-2", "send-0"]
    assert await listed(desk, before=SendId("send-4"), limit=1, **filters) == ["send-2"]
    assert await listed(desk, session_id=session.id, before=SendId("send-2"), **filters) == ["send-0"]


async def test_listed_sends_are_whole(desk):
    claim = await desk.running()
    await desk.store.journal.finish(claim.fence, desk.completed("bye"))
    (send,) = await desk.store.sends.list()
    assert send == await desk.send_of(claim)
    assert send.text == "bye"
