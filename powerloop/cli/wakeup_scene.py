"""The wake-up of ``powerloop demo``: an agent sets its alarm, all of the system is stopped, and it is woken.

Nothing but the data folder leads from one half to the other: other processes, other connections.
"""

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from rich.console import Console
from rich.text import Text

from powerloop.cli import scenes
from powerloop.cli.node_words import span
from powerloop.cli.scenes import Played, worker_pid
from powerloop.client.loop import AsyncPowerLoop
from powerloop.kernel.errors import DemoFailed
from powerloop.kernel.messages import Role, text_of
from powerloop.kernel.sends import Send
from powerloop.kernel.timers import Timer, TimerOwner

AGENT: Final = "secretary"

_QUESTION: Final = "Remind me to call the vet in 10 seconds."
#: What the reminder must speak of, in lower case.
_ABOUT: Final = "vet"
#: How long the wake-up may take once the processes have been started again.
_WITHIN_S: Final = 30.0
_POLL_S: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A wake-up that an agent has scheduled."""

    #: The send in which it did.
    send: Send
    timer: Timer
    #: When it is due.
    due_at: datetime


async def set_alarm(loop: AsyncPowerLoop, console: Console) -> Alarm:
    """An agent that is to do something later: it sets its alarm, and its send ends.

    Raises:
        DemoFailed: it has set no alarm, or several.
    """
    session = await loop.create_session(AGENT)
    scenes.say_question(console, _QUESTION)
    handle = await loop.send(session.id, _QUESTION)
    await scenes.show_calls(console, handle)
    send = await scenes.ended(handle)
    scenes.say_answer(console, send)
    timers = await loop.list_timers(session_id=session.id)
    match timers:
        case [Timer(owner=TimerOwner.AGENT, due_at=datetime() as due_at) as timer]:
            _tell(console, f"the send has ended; the alarm is a row, due at {_clock(due_at)}")
            return Alarm(send=send, timer=timer, due_at=due_at)
    raise DemoFailed(f"the agent has {len(timers)} wake-ups to come, not one, and said {send.text!r}.")


def sleep_through(console: Console, alarm: Alarm, pids: Mapping[str, int]) -> datetime:
    """Nothing runs any more, and the alarm becomes due.

    Args:
        console: Where it is shown.
        alarm: What becomes due.
        pids: What ran until now: name to process id.

    Returns:
        Since when nothing runs.

    Raises:
        DemoFailed: something still runs.
    """
    down_at = datetime.now(UTC)
    if left := {name: pid for name, pid in pids.items() if _exists(pid)}:
        raise DemoFailed(f"not everything has stopped: {_listed(left)}.")
    console.print(Text.assemble(("   gone", "bold red"), " ", _listed(pids)))
    with console.status("nothing runs, and the alarm becomes due …"):
        time.sleep(max((alarm.due_at - datetime.now(UTC)).total_seconds(), 0.0))
    unheard = f"so the alarm of {_clock(alarm.due_at)} did not ring"
    _tell(console, f"nothing runs since {_clock(down_at)}, {unheard}")
    return down_at


async def wake(
    loop: AsyncPowerLoop, console: Console, alarm: Alarm, down_at: datetime, pids: Mapping[str, int]
) -> Played:
    """The agent is woken in a system that was started again, by its timer, in a send of its own.

    Args:
        loop: A client of that system.
        console: Where it is shown.
        alarm: What wakes the agent.
        down_at: When everything had stopped.
        pids: What runs now: name to process id.

    Raises:
        DemoFailed: it is not woken within half a minute, or not so.
    """
    console.print(Text.assemble(("     up", "bold green"), " ", _listed(pids)))
    with console.status("waiting for the alarm …"):
        send = await _woken(loop, alarm)
    rang_at = await _rang_at(loop, alarm, send)
    late = span(rang_at - alarm.due_at)
    _tell(console, f"it rings at {_clock(rang_at)}, {late} late: the new beat has found what was missed")
    console.print(Text.assemble(("  timer", "bold yellow"), " ", text_of(send.content)))
    scenes.say_answer(console, send)
    if rang_at < down_at:
        raise DemoFailed("the alarm rang before everything had stopped.")
    if worker_pid(send) not in map(str, pids.values()):
        raise DemoFailed(f"the answer is by {worker_pid(send)}, which is none of the new workers.")
    if _ABOUT not in send.text.lower():
        raise DemoFailed("the agent did not say what it was to remind of.")
    await _check_log(loop, alarm, send)
    _tell(console, "one session, two sends in its log, and no worker that has run both")
    return Played("wake-up", send)


async def _woken(loop: AsyncPowerLoop, alarm: Alarm) -> Send:
    """The send that the timer made, once it has ended."""
    its = {"timer_id": alarm.timer.id}
    try:
        async with asyncio.timeout(_WITHIN_S):
            while True:
                if made := await loop.list_sends(session_id=alarm.send.session_id, metadata=its):
                    return await scenes.ended(await loop.get_send(made[0].id))
                await asyncio.sleep(_POLL_S)
    except TimeoutError as late:
        raise DemoFailed(f"the agent was not woken within {_WITHIN_S:g} seconds.") from late


async def _rang_at(loop: AsyncPowerLoop, alarm: Alarm, send: Send) -> datetime:
    """When the timer made the send."""
    firings = await loop.timer_firings(alarm.timer.id)
    if [firing.send_id for firing in firings] != [send.id]:
        raise DemoFailed(f"the alarm rang {len(firings)} times, or made another send.")
    return firings[0].at


async def _check_log(loop: AsyncPowerLoop, alarm: Alarm, send: Send) -> None:
    log = await loop.messages(send.session_id)
    asked = [message.send_id for message in log if message.role is Role.USER]
    if asked != [alarm.send.id, send.id]:
        raise DemoFailed(f"the session's log holds the sends {asked}, not the two that there were.")


def _tell(console: Console, text: str) -> None:
    console.print(Text(f"    {text}", style="dim"))


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        # There is none, or somebody else's has its number by now.
        return False
    return True


def _listed(pids: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {pid}" for name, pid in pids.items())


def _clock(instant: datetime) -> str:
    return f"{instant.astimezone():%H:%M:%S}"
