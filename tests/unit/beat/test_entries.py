"""Entries of Celery's own schedule: sent by the beat that leads, from where the last leader was."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from powerloop.beat.entries import Entries
from powerloop.kernel.errors import StoreUnavailable
from powerloop.store.memory import MemoryStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Scheduler:
    """Celery's scheduler, as far as it is driven: one entry, due as often as it is told."""

    def __init__(self, due: int = 0) -> None:
        self.entry = SimpleNamespace(last_run_at=NOW, total_run_count=0)
        self.schedule = {"nightly": self.entry}
        self.due = due
        self.forgotten = 0

    def tick_entries(self) -> float:
        if not self.due:
            return 0.3
        self.due -= 1
        self.entry.total_run_count += 1
        self.entry.last_run_at += timedelta(minutes=1)
        return 0.0

    def forget_heap(self) -> None:
        self.forgotten += 1


@pytest.fixture
async def beats():
    beats = MemoryStore().beats
    await beats.alive(timedelta(seconds=3))
    return beats


async def test_the_one_that_leads_sends_what_is_due_and_writes_it_down(beats):
    first, second = Scheduler(due=2), Scheduler(due=2)
    leader, follower = Entries(first), Entries(second)
    leader._holder, follower._holder = "a", "b"
    assert await leader.turn(beats) == 0.3
    assert await follower.turn(beats) == 1.0
    assert (first.entry.total_run_count, second.entry.total_run_count) == (2, 0)
    assert await beats.last_runs() == {"nightly": (NOW + timedelta(minutes=2), 2)}


async def test_the_next_leader_goes_on_where_the_last_one_was(beats):
    await beats.ran("nightly", NOW + timedelta(hours=1), 7)
    await beats.ran("gone", NOW, 1)
    scheduler = Scheduler()
    entries = Entries(scheduler)
    await entries.turn(beats)
    await entries.turn(beats)
    assert (scheduler.entry.last_run_at, scheduler.entry.total_run_count) == (NOW + timedelta(hours=1), 7)
    assert scheduler.forgotten == 1


async def test_a_leader_that_resigns_lets_another_one_lead_at_once(beats):
    leader, follower = Entries(Scheduler()), Entries(Scheduler(due=1))
    leader._holder, follower._holder = "a", "b"
    await leader.turn(beats)
    await leader.resign(beats)
    assert await follower.turn(beats) == 0.3


async def test_where_there_are_no_entries_nobody_leads(beats):
    scheduler = Scheduler()
    scheduler.schedule = {}
    await Entries(scheduler).turn(beats)
    assert await beats.lead("another", timedelta(seconds=1))


async def test_a_leader_that_could_not_ask_reads_anew_when_it_can(beats, monkeypatch):
    scheduler = Scheduler()
    entries = Entries(scheduler)
    await entries.turn(beats)

    async def away(*_):
        raise StoreUnavailable("nobody there")

    with monkeypatch.context() as patch:
        patch.setattr(beats, "lead", away)
        with pytest.raises(StoreUnavailable):
            await entries.turn(beats)
    await entries.turn(beats)
    assert scheduler.forgotten == 2


async def test_the_first_interval_of_an_entry_goes_on_through_restarts(beats):
    await Entries(Scheduler()).turn(beats)
    assert await beats.last_runs() == {"nightly": (NOW, 0)}


async def test_an_entry_that_could_not_be_sent_is_looked_at_anew(beats):
    scheduler = Scheduler()

    def refused() -> float:
        raise ConnectionError("no broker")

    scheduler.tick_entries = refused
    with pytest.raises(ConnectionError):
        await Entries(scheduler).turn(beats)
    assert scheduler.forgotten == 2


def test_two_beats_of_one_host_and_process_number_are_two():
    assert Entries(Scheduler())._holder != Entries(Scheduler())._holder
