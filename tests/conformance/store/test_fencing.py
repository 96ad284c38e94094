"""Each write of the journal checks its fence, and writes nothing when that does not hold."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from powerloop.kernel.calls import Effect
from powerloop.kernel.errors import Fenced
from powerloop.kernel.ids import CallId, Epoch, SendId, SessionId
from powerloop.kernel.ports.journal import ResultsCommit

Write = Callable[[Any, Any], Awaitable[Any]]

WRITES: dict[str, Write] = {
    "commit_model": lambda desk, fence: desk.store.journal.commit_model(
        fence, desk.asks("late", number=2, entries=(desk.entry(),))
    ),
    "start_calls": lambda desk, fence: desk.store.journal.start_calls(fence, [CallId("open")]),
    "commit_results": lambda desk, fence: desk.store.journal.commit_results(
        fence, ResultsCommit(outcomes=(desk.done("open"),), message=desk.results(desk.done("open")))
    ),
    "suspend": lambda desk, fence: desk.store.journal.suspend(fence, desk.doubts("open")),
    "finish": lambda desk, fence: desk.store.journal.finish(fence, desk.completed()),
    "hand_over": lambda desk, fence: desk.store.journal.hand_over(fence),
}


@pytest.fixture(params=WRITES)
def write(request: pytest.FixtureRequest) -> Write:
    """A write of the executor."""
    return WRITES[request.param]


@pytest.fixture
async def claim(desk):
    """The claim of a send with an open call, and another send behind it."""
    claim = await desk.running()
    await desk.asked(claim, "open", effect=Effect.ONCE, entries=(desk.entry(),))
    await desk.accept(await desk.session_of(claim))
    return claim


async def test_a_write_under_an_old_epoch_is_fenced(desk, claim, write):
    newer = await desk.taken_over(claim)
    before = await desk.everything(newer)
    with pytest.raises(Fenced):
        await write(desk, claim.fence)
    assert await desk.everything(newer) == before


async def test_the_newer_claim_writes_on(desk, claim, write):
    newer = await desk.taken_over(claim)
    with pytest.raises(Fenced):
        await write(desk, claim.fence)
    await write(desk, newer.fence)


@pytest.mark.parametrize(
    "change",
    [{"epoch": Epoch(2)}, {"epoch": Epoch(0)}, {"session_id": SessionId("no")}, {"send_id": SendId("no")}],
    ids=["too new", "too old", "no session", "no send"],
)
async def test_a_fence_that_nobody_gave_is_refused(desk, claim, write, change):
    before = await desk.everything(claim)
    with pytest.raises(Fenced):
        await write(desk, replace(claim.fence, **change))
    assert await desk.everything(claim) == before


async def test_a_fence_of_another_sessions_send_is_refused(desk, claim, write):
    other = await desk.running()
    before = await desk.everything(claim), await desk.everything(other)
    with pytest.raises(Fenced):
        await write(desk, replace(claim.fence, send_id=other.fence.send_id))
    assert (await desk.everything(claim), await desk.everything(other)) == before


async def test_a_finished_send_takes_no_writes(desk, claim, write):
    await desk.store.journal.finish(claim.fence, desk.completed())
    before = await desk.everything(claim)
    with pytest.raises(Fenced):
        await write(desk, claim.fence)
    assert await desk.everything(claim) == before


async def test_a_send_that_waits_takes_no_writes(desk, claim, write):
    await desk.store.journal.suspend(claim.fence, desk.doubts("open"))
    before = await desk.everything(claim)
    with pytest.raises(Fenced):
        await write(desk, claim.fence)
    assert await desk.everything(claim) == before


async def test_a_handed_over_send_takes_no_writes(desk, claim, write):
    await desk.store.journal.hand_over(claim.fence)
    before = await desk.everything(claim)
    with pytest.raises(Fenced):
        await write(desk, claim.fence)
    assert await desk.everything(claim) == before
