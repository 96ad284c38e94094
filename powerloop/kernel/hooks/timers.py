"""Timers: what their hooks make of a firing. It is asked where no send is claimed yet."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, TypeAlias

from powerloop.kernel.errors import HookFailed, HookVeto
from powerloop.kernel.hooks.chain import Chain
from powerloop.kernel.hooks.changes import input_of
from powerloop.kernel.hooks.contexts import TimerFiring
from powerloop.kernel.hooks.decisions import CancelTimer, Postpone, Veto
from powerloop.kernel.hooks.hook import Hook
from powerloop.kernel.hooks.stages import Stage
from powerloop.kernel.messages import Block

#: How much later a timer fires whose guard failed: its wake-up must not get lost.
AFTER_FAILURE: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Fire:
    """The timer fires."""

    #: The input of the send that it makes.
    content: tuple[Block, ...]


#: The most that a hook may postpone a tick by.
LONGEST: Final = timedelta(days=3_650)

#: What hooks make of a tick; a `Veto` drops it.
TimerAnswer: TypeAlias = Fire | Veto | Postpone | CancelTimer


async def decide_firing(hooks: Sequence[Hook], firing: TimerFiring) -> TimerAnswer:
    """What becomes of the firing. Changes are chained; the first hook that says anything else settles it."""
    log_fields = {"session_id": firing.session_id, "timer_id": firing.timer_id}
    on_time: TimerAnswer = Fire(firing.content)
    try:
        return await Chain(hooks, log_fields).ask(
            Stage.TIMER,
            on_time,
            lambda hook, value: hook.timer(replace(firing, content=_content(value, firing))),
            _decided,
            lambda value: not isinstance(value, Fire),
        )
    except HookVeto as error:
        return Veto(error.reason)
    except HookFailed:
        return Postpone(AFTER_FAILURE)


def _content(value: TimerAnswer, firing: TimerFiring) -> tuple[Block, ...]:
    return value.content if isinstance(value, Fire) else firing.content


def _decided(_on_time: TimerAnswer, decision: object) -> TimerAnswer:
    match decision:
        case Postpone(by=by) if not timedelta(0) < by <= LONGEST:
            raise ValueError(f"a timer is postponed by more than nothing, and {LONGEST.days} days at most.")
        case Postpone() | CancelTimer():
            return decision
        case _:
            return Fire(input_of(decision))
