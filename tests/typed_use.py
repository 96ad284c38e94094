"""What a user writes, as the type checker sees it. Analysed by `make check`, never run."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import assert_type

from powerloop import (
    Agent,
    AsyncPowerLoop,
    BlockingSendHandle,
    Cancellation,
    Finding,
    Interaction,
    Message,
    PowerLoop,
    SendHandle,
    SendResult,
    Session,
    Timer,
    ToolContext,
    tool,
)
from powerloop.kernel.explain import Explanation
from powerloop.kernel.timers import Firing
from powerloop.kernel.usage import UsageReport


class Deps:
    limit: int = 3


@tool(effect="read")
async def find(context: ToolContext[Deps], query: str, limit: int = 5) -> list[str]:
    """Find.

    Args:
        query: What.
        limit: How many.
    """
    assert_type(context.deps, Deps)
    return []


@tool
def bare(a: int) -> int:
    """Bare."""
    return a


assert_type(bare(1), int)


@bare.probe
async def known(context: ToolContext[Deps], a: int) -> Finding:
    return Finding.done("1") if a else Finding.not_done()


@bare.probe
def known_at_once(a: int) -> Finding:
    return Finding.unknown()


@bare.probe  # type: ignore[type-var]
def wrong(a: int) -> bool:
    """A probe returns a finding."""
    return True


assert_type(known_at_once(1), Finding)
agent = Agent(name="a", model="scripted:echo", tools=[find, bare])


async def use() -> None:
    async with AsyncPowerLoop.from_env() as loop:
        session = await loop.create_session("a")
        assert_type(session, Session)
        handle = await loop.send(session.id, "x")
        assert_type(handle, SendHandle)
        assert_type(await handle.result(timeout=1), SendResult)
        assert_type(await loop.messages(session.id), Sequence[Message])
        assert_type(await handle.cancel("no longer needed"), Cancellation)
        assert_type(await loop.cancel(handle.id, "b", actor="me"), Sequence[Cancellation])
        assert_type(await loop.interactions(status="open"), Sequence[Interaction])
        assert_type(await loop.answer("i", {"action": "run"}), Interaction)
        assert_type(await loop.explain(handle.id), Explanation)
        assert_type(await loop.usage(session_id=session.id, by="day"), UsageReport)
        timer = await loop.schedule("x", agent="a", cron="@daily", dst="twice", overlap="skip")
        assert_type(timer, Timer)
        assert_type(await loop.list_timers(status=["armed", "paused"]), Sequence[Timer])
        assert_type(await loop.timer_firings(timer.id), Sequence[Firing])
        assert_type(await loop.preview_timer(timer.id), Sequence[datetime])
        assert_type(await loop.trigger_timer(timer.id), SendHandle)
        await loop.list_sends(status=["queued", "running"], metadata={"customer": "42"})


def use_blocking() -> None:
    with PowerLoop.local("a.db", agents=[agent]) as loop:
        assert_type(loop.create_session("a"), Session)
        handle = loop.send("s", "x", idempotency_key="k", policy="reject")
        assert_type(handle, BlockingSendHandle)
        assert_type(handle.result(timeout=1), SendResult)
        assert_type(handle.cancel(actor="me"), Cancellation)
        assert_type(loop.cancel(session_id="s"), Sequence[Cancellation])
        assert_type(loop.get_interaction("i"), Interaction)
        assert_type(loop.usage(by="model").total.cost, Decimal)
        assert_type(loop.schedule("x", session_id="s", every=timedelta(hours=1)), Timer)
        assert_type(loop.trigger_timer("t"), BlockingSendHandle)


@tool(effect="raed")  # type: ignore[call-overload, untyped-decorator]
def misspelt() -> None:
    """A misspelt effect is an error."""


def use_wrongly(loop: PowerLoop) -> None:
    loop.send("s", "x", policcy="reject")  # type: ignore[call-arg]
    loop.schedule("x", agent="a", evry=timedelta(hours=1))  # type: ignore[call-arg]
    loop.send("s", "x", queue_down="refused")  # type: ignore[arg-type]
