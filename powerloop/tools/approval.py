"""Approval: how an author says which calls a person must allow before they run."""

from datetime import timedelta
from typing import Literal, TypeAlias

from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.tools import Approval, ApprovalRule
from powerloop.mending.words import did_you_mean
from powerloop.tools.handler import handler_takes_context
from powerloop.tools.signature import label_of, refuse_uncallable
from powerloop.tools.spans import checked_span

ApprovalOption: TypeAlias = Literal["never", "always"] | ApprovalRule


def make_approval(option: ApprovalOption, within: timedelta | None, name: str) -> Approval | None:
    """What the author of a tool said of its approval; `None`: nobody is asked.

    Args:
        option: ``"never"``, ``"always"``, or a function that says of which calls.
        within: How long an answer is waited for.
        name: Of the tool.

    Raises:
        InvalidInput: the option is none, or the span is none, or of no use.
    """
    span = checked_span(within, "approval_within", name)
    if option == "never" and span is not None:
        raise InvalidInput(
            f"tool {name}: approval_within is of no use, as nobody is asked.",
            hint='Say approval="always" too, or give a function of the arguments.',
        )
    if option == "never":
        return None
    return Approval(rule=None if option == "always" else _rule(option, name), within=span)


def _rule(option: object, name: str) -> ApprovalRule:
    if not callable(option):
        nearest = did_you_mean(option, ("never", "always")).capitalize()
        raise InvalidInput(
            f"tool {name}: there is no approval {option!r:.80}.",
            hint=f'{nearest} It is "never", "always" or a function of the arguments.'.strip(),
        )
    label = f"{name}, approval {label_of(option)}"
    refuse_uncallable(option, label)
    handler_takes_context(option, label)
    return option
