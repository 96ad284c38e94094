"""Agents that wake themselves, with scripted models."""

from datetime import UTC, datetime, timedelta

import pytest

from powerloop import Agent, AsyncPowerLoop, SendStatus
from powerloop.kernel.messages import TextBlock
from powerloop.kernel.timers import TimerOwner, TimerStatus
from powerloop.llm.script import Rule, Script, ScriptedCall, Turn
from powerloop.tools import cancel_wakeup, list_wakeups, schedule_wakeup

#: What the model does, by the first word of what it is told. Where it is woken, it answers as it was told.
CALLS = {
    "soon": ("schedule_wakeup", {"note": "$note", "after_seconds": 0.2}),
    "late": ("schedule_wakeup", {"note": "$note", "after_seconds": 3_600}),
    "again": ("schedule_wakeup", {"note": "$note", "every_seconds": 1, "max_times": 2}),
    "daily": ("schedule_wakeup", {"note": "$note", "cron": "0 9 * * *", "tz": "Europe/Berlin"}),
    "dense": ("schedule_wakeup", {"note": "$note", "cron": "* * * * * *"}),
    "list": ("list_wakeups", {}),
    "cancel": ("cancel_wakeup", {"wakeup_id": "$note"}),
}
SCRIPT = Script(
    rules=(
        Rule(pattern=r"^\[wake-up", turns=(Turn(text="Woken by $input"),)),
        *(
            Rule(
                pattern=rf"(?s)^{word} ?(?P<note>.*)",
                turns=(Turn(calls=(ScriptedCall(name=name, arguments=arguments),)), Turn(text="$result")),
            )
            for word, (name, arguments) in CALLS.items()
        ),
    )
)
TOOLS = (schedule_wakeup(shortest=timedelta(milliseconds=50), per_session=2), list_wakeups(), cancel_wakeup())
GUARDED = Agent(name="guarded", model="scripted:watch", tools=(schedule_wakeup(), *TOOLS[1:]))


@pytest.fixture(params=[":memory:", "app.db"])
async def loop(request, tmp_path):
    path = ":memory:" if request.param == ":memory:" else tmp_path / request.param
    agents = [Agent(name="watchman", model="scripted:watch", tools=TOOLS), GUARDED]
    async with AsyncPowerLoop.local(path, agents=agents, scripts={"watch": SCRIPT}) as loop:
        await loop.create_session("watchman", id="s")
        yield loop


@pytest.fixture
def say(loop):
    """``await say("late Look.")``: what the agent answers."""

    async def say(text: str, session_id: str = "s") -> str:
        result = await (await loop.send(session_id, text)).result(timeout=20)
        assert result.status is SendStatus.COMPLETED
        return result.text

    return say


@pytest.fixture
def woken(loop, eventually):
    """``await woken(2)``: what the agent answered when it was woken, once it was so often."""

    async def woken(times: int) -> list[str]:
        async def answers() -> list[str]:
            blocks = [block for message in await loop.messages("s") for block in message.content]
            said = [block.text for block in blocks if isinstance(block, TextBlock)]
            told = [text for text in said if text.startswith("Woken by ")]
            return told if len(told) >= times else []

        return await eventually(answers, "the agent is woken", within=20)

    return woken


async def test_an_agent_is_woken_in_a_later_send_with_its_note(loop, say, woken):
    told = await say("soon Look at order A-17.")
    [timer] = await loop.list_timers(session_id="s")

    [answer] = await woken(1)

    assert told.startswith(f"The wake-up {timer.id} is scheduled. It wakes you at ")
    due_at = timer.plan.schedule.at.isoformat(timespec="seconds")
    assert answer == f"Woken by [wake-up {timer.id}, due {due_at}] Look at order A-17."
    asked, wake_up = reversed(await loop.list_sends(session_id="s"))
    assert wake_up.metadata["timer_id"] == timer.id
    timer = await loop.get_timer(timer.id)
    assert (timer.status, timer.owner, timer.last_send_id) == (TimerStatus.DONE, TimerOwner.AGENT, wake_up.id)
    assert asked.id != wake_up.id


async def test_braces_in_a_note_mean_nothing(say, woken):
    await say("soon {{due_at}} {{customer}} {{braces}} {{{x}}} {{")
    [answer] = await woken(1)
    assert answer.endswith("] {{due_at}} {{customer}} {{braces}} {{{x}}} {{")


async def test_an_agent_is_woken_as_often_as_it_has_asked_for(loop, say, woken):
    assert (await say("again Look.")).endswith(", 2 times in all.")

    assert len(await woken(2)) == 2

    [timer] = await loop.list_timers(session_id="s")
    assert (timer.status, timer.fires) == (TimerStatus.DONE, 2)


async def test_an_agent_lists_its_wake_ups(loop, say):
    await say("late The first.")
    await say("daily The second.")
    await loop.schedule("Not the agent's.", session_id="s", after=timedelta(hours=2))

    first, second = sorted((await say("list")).splitlines(), key=lambda line: line.rpartition("note: ")[2])
    assert first.endswith("; once; note: The first.")
    assert "by the cron expression 0 9 * * * in Europe/Berlin, until it is cancelled" in second


async def test_an_agent_cancels_its_wake_ups_and_no_others(loop, say):
    await say("late Look.")
    [own] = await loop.list_timers()
    other = await loop.schedule("Not the agent's.", session_id="s", after=timedelta(hours=2))

    assert await say(f"cancel {own.id}") == f"The wake-up {own.id} is cancelled."
    assert "you have scheduled no wake-up" in await say(f"cancel {other.id}")

    assert (await loop.get_timer(own.id)).status is TimerStatus.CANCELLED
    assert (await loop.get_timer(other.id)).status is TimerStatus.ARMED
    assert await say("list") == "None."


async def test_an_agent_has_so_many_wake_ups_and_no_more(loop, say):
    await say("late The first.")
    await say("late The second.")

    refused = await say("late The third.")
    assert refused.startswith("this session has 2 wake-ups already, the most that it may have.")

    first = (await loop.list_timers())[-1]
    await say(f"cancel {first.id}")
    assert "is scheduled" in await say("late The third.")


async def test_an_agent_is_told_what_it_may_not_do(loop, say):
    await loop.create_session("guarded", id="g")

    assert "after_seconds is wrong: 0.2 is less than the minimum of 5.0" in await say("soon Look.", "g")
    assert "some of the wake-ups would be 1 seconds apart" in await say("dense Look.", "g")
    assert await loop.list_timers() == []


async def test_a_session_that_is_closed_wakes_no_more(loop, say):
    await say("late Look.")
    await loop.close_session("s")

    [timer] = await loop.list_timers()
    assert (timer.status, timer.reason) == (TimerStatus.CANCELLED, "its session was closed")


async def test_a_wake_up_by_cron_is_at_that_hour_of_its_zone(loop, say):
    told = await say("daily Look.")

    [timer] = await loop.list_timers()
    assert timer.tick_at > datetime.now(UTC)
    assert timer.plan.schedule.tz == "Europe/Berlin"
    assert told.count("T09:00:00+0") == 3
    assert told.endswith(", until it is cancelled.")
