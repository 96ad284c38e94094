"""Pausing a session and letting it go on, from a client."""

from powerloop import Agent, AsyncPowerLoop, SendStatus
from powerloop.kernel.explain import Cause

ECHO = Agent(name="echo", model="scripted:echo")


async def test_a_paused_session_takes_sends_and_starts_them_when_it_goes_on():
    async with AsyncPowerLoop.local(":memory:", agents=[ECHO]) as loop:
        session = await loop.create_session("echo")
        assert (await loop.pause_session(session.id)).paused_at is not None
        first, second = [await loop.send(session.id, text) for text in ("one", "two")]
        assert (await loop.explain(first.id)).code is Cause.PAUSED
        assert (await loop.explain(second.id)).because.code is Cause.PAUSED
        assert await first.status() is SendStatus.QUEUED
        assert (await loop.resume_session(session.id)).paused_at is None
        assert [(await one.result(timeout=10)).text for one in (first, second)] == ["one", "two"]


async def test_a_send_of_a_paused_session_can_be_cancelled():
    async with AsyncPowerLoop.local(":memory:", agents=[ECHO]) as loop:
        session = await loop.create_session("echo")
        await loop.pause_session(session.id)
        send = await loop.send(session.id, "one")
        await send.cancel()
        assert (await send.result(timeout=10)).status is SendStatus.CANCELLED
