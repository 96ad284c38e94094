import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from powerloop.kernel.quarantine import Quarantine
from powerloop.kernel.sends import CancelRequest, Send
from powerloop.testing.factories import make_send

MAX_ATTEMPTS = 3

NEW = replace(make_send(attempt=0), strikes=0)
TAKEN_OVER = replace(make_send(attempt=1), strikes=1)
LAST_CHANCE = replace(make_send(attempt=2), strikes=MAX_ATTEMPTS - 1)


class Visit:
    """A send that asks for a place, and keeps it until it leaves."""

    on_commit: Callable[[], None]

    def __init__(self, quarantine: Quarantine, send: Send) -> None:
        self.is_in = False
        self._leaving = asyncio.Event()
        self.task = asyncio.create_task(self._stay(quarantine, send))

    async def leave(self) -> None:
        self._leaving.set()
        await self.task

    async def _stay(self, quarantine: Quarantine, send: Send) -> None:
        async with quarantine.admit(send, is_to_end=send.cancel is not None) as self.on_commit:
            self.is_in = True
            await self._leaving.wait()


@pytest.fixture
def visit():
    """Has a send ask for a place, and waits until it is in or has to wait."""
    quarantine = Quarantine(MAX_ATTEMPTS)

    async def ask(send: Send) -> Visit:
        visit = Visit(quarantine, send)
        await settled()
        return visit

    return ask


async def settled() -> None:
    """Let every task run as far as it gets."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_sends_that_were_taken_over_run_beside_each_other_and_beside_new_ones(visit):
    visits = [await visit(send) for send in (TAKEN_OVER, NEW, TAKEN_OVER, NEW)]
    assert all(visit.is_in for visit in visits)


async def test_a_last_chance_waits_until_no_send_is_there_that_may_be_poison(visit):
    taken_over, _new = await visit(TAKEN_OVER), await visit(NEW)
    last = await visit(LAST_CHANCE)
    assert not last.is_in
    await taken_over.leave()
    await settled()
    assert last.is_in


async def test_a_last_chance_is_taken_alone_until_its_first_commit(visit):
    last = await visit(LAST_CHANCE)
    taken_over, new = await visit(TAKEN_OVER), await visit(NEW)
    assert (taken_over.is_in, new.is_in) == (False, True)
    last.on_commit()
    await settled()
    assert taken_over.is_in


async def test_last_chances_are_taken_one_after_another(visit):
    visits = [await visit(LAST_CHANCE) for _ in range(3)]
    for number in range(3):
        assert [visit.is_in for visit in visits] == [other <= number for other in range(3)]
        await visits[number].leave()
        await settled()


async def test_a_send_that_is_cut_off_gives_its_place_back_and_one_that_waits_leaves_none(visit):
    last, waiting, taken_over = [await visit(send) for send in (LAST_CHANCE, LAST_CHANCE, TAKEN_OVER)]
    waiting.task.cancel()
    last.task.cancel()
    await settled()
    assert (taken_over.is_in, waiting.is_in) == (True, False)


async def test_a_send_that_has_struck_out_is_not_run_and_excludes_nobody(visit):
    struck_out = await visit(replace(LAST_CHANCE, strikes=MAX_ATTEMPTS))
    assert struck_out.is_in
    assert (await visit(TAKEN_OVER)).is_in


async def test_a_send_that_has_struck_nobody_since_its_last_commit_is_no_suspect(visit):
    resumed = replace(make_send(attempt=2), strikes=0)
    assert (await visit(resumed)).is_in
    assert (await visit(LAST_CHANCE)).is_in
    assert (await visit(resumed)).is_in


async def test_a_send_that_is_only_to_be_ended_does_not_wait(visit):
    await visit(LAST_CHANCE)
    request = CancelRequest(reason="", actor="", at=datetime(2026, 1, 1, tzinfo=UTC))
    assert (await visit(replace(TAKEN_OVER, cancel=request))).is_in
