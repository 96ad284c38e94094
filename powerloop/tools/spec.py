"""What the author of a tool may say about it, checked and put into a `ToolSpec`."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal, TypeAlias

from powerloop.kernel.calls import Effect
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.queues import TOOL_QUEUE, QueueName
from powerloop.kernel.tools import Approval, ToolSpec
from powerloop.mending.words import did_you_mean
from powerloop.tools.spans import checked_span

EffectName: TypeAlias = Effect | Literal["read", "idempotent", "keyed", "once"]

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_QUEUE = re.compile(r"[A-Za-z0-9_.-]{1,100}")


def make_spec(
    name: str,
    description: str,
    parameters: Mapping[str, Any],
    *,
    effect: EffectName,
    concurrent: bool | None,
    timeout: timedelta | None,
    approval: Approval | None,
    queue: str | None = None,
) -> ToolSpec:
    """The spec of a tool.

    Args:
        name: 1 to 64 characters of letters, digits, ``_`` and ``-``.
        description: What the model reads.
        parameters: JSON Schema of the arguments.
        effect: What may be done when a crash leaves a call unfinished.
        concurrent: `None`: it may run beside other calls unless its effect is `Effect.ONCE`.
        timeout: How long one call may take; `None`: as long as it likes.
        approval: Whether a person must allow its calls; `None`: nobody is asked.
        queue: Where its calls run; `None`: in the process that runs the send.

    Raises:
        InvalidInput: the name, the effect, the timeout or the queue is none.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{name!r} cannot be the name of a tool: providers take 1 to 64 letters, digits, _ and -.",
            hint="Give it one with name=….",
        )
    known_effect = _effect(effect, name)
    return ToolSpec(
        name=name,
        description=description,
        parameters=parameters,
        effect=known_effect,
        concurrent=known_effect is not Effect.ONCE if concurrent is None else concurrent,
        timeout=checked_span(timeout, "timeout", name),
        approval=approval,
        queue=None if queue is None else _queue(queue, name),
    )


def _queue(queue: str, name: str) -> QueueName:
    """The queue, if it may be a tool's: those of other work take no calls."""
    reserved = queue == "celery" or (queue.startswith("powerloop.") and queue != TOOL_QUEUE)
    if reserved or not _QUEUE.fullmatch(queue):
        raise InvalidInput(
            f"tool {name}: {queue!r} cannot be its queue.",
            hint=f"Give 1 to 100 letters, digits, _, - and dots that no other queue has, or {TOOL_QUEUE!r}.",
        )
    return QueueName(queue)


def _effect(effect: EffectName, name: str) -> Effect:
    try:
        return Effect(effect)
    except ValueError:
        names = [known.value for known in Effect]
        nearest = did_you_mean(effect, names)
        raise InvalidInput(
            f"tool {name}: there is no effect {effect!r}.",
            hint=f"{nearest.capitalize()} The effects are: {', '.join(names)}.".strip(),
        ) from None
