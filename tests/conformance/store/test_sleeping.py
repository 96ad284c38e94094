"""`Journal.suspend` and `Recovery.rouse`: calls that wait for a time."""

from datetime import UTC, datetime, timedelta

from powerloop.kernel.calls import CallStatus
from powerloop.kernel.ids import CallId
from powerloop.kernel.sends import SendStatus
from powerloop.kernel.suspension import NewSleep, Suspension

SHORT = timedelta(milliseconds=80)
PAST = datetime(2026, 1, 1, tzinfo=UTC)


def nap(call_id, lasts=None, until=None):
    return NewSleep(call_id=CallId(call_id), lasts=lasts, until=until, result=f"{call_id} has slept")


async def asleep(desk, *naps):
    claim = await desk.running()
    await desk.asked(claim, *(one.call_id for one in naps))
    suspended = await desk.store.journal.suspend(claim.fence, Suspension(sleeps=naps))
    assert suspended.waiting
    return claim


async def test_a_call_that_sleeps_waits_until_its_time(desk, eventually):
    claim = await asleep(desk, nap("a", SHORT))
    (call,) = await desk.store.journal.load_calls(claim.send.id)
    assert call.status is CallStatus.WAITING
    assert call.wakes_at is not None

    async def roused():
        return await desk.store.recovery.rouse(10)

    (ready,) = await eventually(roused, "its time has come")
    assert (ready.id, ready.status) == (claim.send.id, SendStatus.QUEUED)
    (call,) = await desk.store.journal.load_calls(claim.send.id)
    assert (call.status, call.result) == (CallStatus.DONE, "a has slept")
    assert call.ended_at >= call.wakes_at
    assert list(await desk.store.recovery.rouse(10)) == []


async def test_who_sleeps_longer_keeps_the_send_waiting(desk):
    claim = await asleep(desk, nap("a", until=PAST), nap("b", timedelta(hours=1)))
    assert list(await desk.store.recovery.rouse(10)) == []
    calls = await desk.store.journal.load_calls(claim.send.id)
    assert [call.status for call in calls] == [CallStatus.DONE, CallStatus.WAITING]
    assert (await desk.send_of(claim)).status is SendStatus.WAITING


async def test_as_many_are_roused_as_are_asked_for_the_earliest_first(desk):
    later = await asleep(desk, nap("a", until=PAST + timedelta(days=1)))
    earlier = await asleep(desk, nap("a", until=PAST))
    assert [send.id for send in await desk.store.recovery.rouse(1)] == [earlier.send.id]
    assert [send.id for send in await desk.store.recovery.rouse(1)] == [later.send.id]


async def test_a_send_that_was_cancelled_sleeps_no_more(desk):
    claim = await asleep(desk, nap("a", until=PAST))
    await desk.store.sends.cancel(claim.send.id)
    await desk.store.recovery.rouse(10)
    send = await desk.send_of(claim)
    assert (send.status, send.cancel is not None) == (SendStatus.QUEUED, True)
