"""The order in which hooks are asked, what a hook is, and what hooks make of a timer."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from powerloop.kernel.calls import CallStatus, ToolOutcome
from powerloop.kernel.errors import HookVeto, InvalidInput
from powerloop.kernel.hooks import (
    Answer,
    CancelTimer,
    ChangeArguments,
    ChangeInput,
    ChangeInstructions,
    ChangeText,
    Fire,
    Hook,
    Hooks,
    Postpone,
    Stage,
    TimerFiring,
    Veto,
    check_hooks,
    decide_firing,
)
from powerloop.kernel.ids import SessionId
from powerloop.kernel.messages import TextBlock
from powerloop.kernel.waits import Question
from powerloop.testing.factories import BEGINNING, make_call, make_send

SEND = make_send()
CALL = replace(make_call(), arguments={"path": ""})
OUTCOME = ToolOutcome(call_id=CALL.id, status=CallStatus.DONE, text="")
FIRING = TimerFiring(
    session_id=SessionId("session-1"),
    agent="support",
    timer_id="timer-1",
    tick_at=BEGINNING,
    due_at=BEGINNING,
    content=(TextBlock(text="Wake up."),),
)


class Appending(Hook):
    """Puts its name at the end of whatever it may change, or vetoes."""

    def __init__(self, name: str, *, veto: bool = False) -> None:
        self.name = name
        self.veto = veto
        self.asked = 0

    def _said(self, change: Any) -> Any:
        self.asked += 1
        return Veto(self.name) if self.veto else change

    async def session_start(self, context):
        return self._said(ChangeInstructions(context.instructions + self.name))

    async def before_tool(self, context):
        return self._said(ChangeArguments({"path": context.call.arguments["path"] + self.name}))

    async def after_tool(self, context):
        return self._said(ChangeText(context.outcome.text + self.name))


async def test_hooks_that_look_ahead_are_asked_in_their_order_and_changes_add_up():
    hooks = Hooks([Appending("a"), Appending("b"), Appending("c")], SEND)
    assert await hooks.session_start("") == "abc"
    allowed, _ = await hooks.before_tools([CALL])
    assert allowed[0].arguments == {"path": "abc"}


async def test_hooks_that_look_back_are_asked_in_reverse():
    outcome = await Hooks([Appending("a"), Appending("b")], SEND).after_tool(CALL, OUTCOME)
    assert outcome.text == "ba"


def test_the_stages_that_look_back_are_those_after_something():
    backward = {stage.value for stage in Stage if not stage.is_inward}
    assert backward == {"session_end", "round_end", "after_model", "after_tool"}


async def test_the_first_veto_wins_and_later_hooks_are_not_asked():
    first, second, third = Appending("a"), Appending("b", veto=True), Appending("c", veto=True)
    with pytest.raises(HookVeto, match="hook 'b'"):
        await Hooks([first, second, third], SEND).session_start("")
    assert (first.asked, second.asked, third.asked) == (1, 1, 0)


async def test_the_first_answer_wins():
    class Answers(Hook):
        def __init__(self, answer: str) -> None:
            self.answer = answer

        async def interaction(self, context):
            return Answer(self.answer)

    answer = await Hooks([Hook(), Answers("red"), Answers("blue")], SEND).interaction(
        CALL, Question(prompt="Which?")
    )
    assert answer is not None
    assert answer.text == "red"


async def test_without_hooks_everything_comes_back_as_it_is():
    hooks = Hooks([], SEND)
    assert await hooks.session_start("Help.") == "Help."
    assert await hooks.before_tools([CALL]) == ((CALL,), ())
    assert await hooks.after_tool(CALL, OUTCOME) is OUTCOME


async def test_a_hook_is_not_asked_where_it_overrides_nothing():
    class Observer(Hook):
        async def after_tool(self, context):
            raise AssertionError

    assert Observer.stages == {Stage.AFTER_TOOL}
    assert await Hooks([Observer()], SEND).session_start("Help.") == "Help."


async def test_a_hook_inherits_the_stages_of_its_parents():
    class Louder(Appending):
        async def round_end(self, context):
            return None

    assert Louder.stages == {*Appending.stages, Stage.ROUND_END}


# What a hook is


def test_a_hook_goes_by_the_name_of_its_class_unless_it_has_one():
    class Audit(Hook):
        pass

    class Named(Hook):
        name = "audit-log"

    assert (Audit().name, Named().name, Appending("a").name) == ("Audit", "audit-log", "a")


def test_a_misspelt_stage_is_refused_where_it_is_defined():
    with pytest.raises(InvalidInput, match=r"no stage 'before_tols'.*Did you mean 'before_tool'"):

        class Misspelt(Hook):
            async def before_tols(self, context):
                return Veto("never asked")


def test_a_stage_that_is_no_coroutine_is_refused_where_it_is_defined():
    with pytest.raises(InvalidInput, match=r"Blocking\.before_tool must be an async def"):

        class Blocking(Hook):
            def before_tool(self, context):  # type: ignore[override]
                return None


def test_methods_of_a_hooks_own_are_its_own():
    class Counting(Hook):
        def total(self) -> int:
            return 0

    assert Counting.stages == frozenset()


class Hasty(Hook):
    timeout = timedelta(0)


@pytest.mark.parametrize(
    ("hooks", "complaint"),
    [
        ([Hook], "is not a hook"),
        ([Appending("a"), Appending("a")], "two hooks named 'a'"),
        ([Hasty()], "'Hasty': timeout must be longer than nothing"),
    ],
)
def test_what_cannot_be_the_hooks_of_an_agent_is_refused(hooks, complaint):
    with pytest.raises(InvalidInput, match=complaint):
        check_hooks("support", hooks)


def test_hooks_of_different_names_are_fine():
    check_hooks("support", [Appending("a"), Appending("b")])


# Timers


def asked_of_a_timer(method: Callable[[Any], Awaitable[Any]], *, guard: bool = False) -> Hook:
    class Asked(Hook):
        async def timer(self, context):
            return await method(context)

    hook = Asked()
    hook.guard = guard
    return hook


def deciding(decision: Any) -> Hook:
    async def decide(context: TimerFiring) -> Any:
        return decision

    return asked_of_a_timer(decide)


async def append(context: TimerFiring) -> ChangeInput:
    return ChangeInput((*context.content, TextBlock(text="Please.")))


async def fail(context: TimerFiring) -> None:
    raise LookupError


async def test_a_timer_fires_as_it_is_where_no_hook_says_anything():
    assert await decide_firing([deciding(None)], FIRING) == Fire(FIRING.content)


async def test_a_timer_may_be_rewritten_by_one_hook_after_another():
    once_more = (*FIRING.content, TextBlock(text="Please."), TextBlock(text="Please."))
    hooks = [asked_of_a_timer(append), asked_of_a_timer(append)]
    assert await decide_firing(hooks, FIRING) == Fire(once_more)


@pytest.mark.parametrize(
    "decision", [Veto("a holiday"), Postpone(timedelta(hours=1)), CancelTimer("not wanted any more")]
)
async def test_a_timer_may_be_vetoed_postponed_or_cancelled_and_later_hooks_are_not_asked(decision):
    hooks = [deciding(decision), deciding(ChangeInput("never asked"))]
    assert await decide_firing(hooks, FIRING) == decision


async def test_an_observer_that_fails_does_not_keep_a_timer_from_firing():
    assert await decide_firing([asked_of_a_timer(fail)], FIRING) == Fire(FIRING.content)


async def test_a_guard_that_fails_puts_the_firing_off_so_that_it_is_not_lost():
    decided = await decide_firing([asked_of_a_timer(fail, guard=True)], FIRING)
    assert isinstance(decided, Postpone)
    assert decided.by > timedelta(0)


async def test_a_timer_cannot_be_postponed_into_the_past():
    assert await decide_firing([deciding(Postpone(timedelta(0)))], FIRING) == Fire(FIRING.content)
