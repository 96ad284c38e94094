"""The tool by which a model waits for a time."""

from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import AwareDatetime, Field

from powerloop.kernel.calls import Effect
from powerloop.kernel.errors import InvalidInput, ToolError
from powerloop.kernel.waits import Sleep
from powerloop.tools.decorator import tool
from powerloop.tools.function import FunctionTool
from powerloop.tools.spans import checked_span
from powerloop.tools.waiting import MAX_WITHIN

_DESCRIPTION: Final = (
    "Wait for a time, and go on then: so many seconds from now, or until an instant (ISO 8601 with its "
    "offset from UTC). Give one of the two."
)

Seconds = Annotated[float | None, Field(gt=0, description="How long to wait.")]
Until = Annotated[AwareDatetime | None, Field(description="Until when, such as 2026-03-01T09:00:00+01:00.")]


def sleep(
    *, longest: timedelta = timedelta(days=30), name: str = "sleep"
) -> FunctionTool[..., Awaitable[Sleep]]:
    """A tool by which a model waits for a time: ``tools=[sleep()]``.

    The send waits without a slot, as a row: it survives restarts, and whatever comes to its session meanwhile
    waits behind it, is merged into it or ends it, by its policy.

    Args:
        longest: How long a model may wait at most, in one call. A longer one is refused.
        name: What the model calls it.

    Raises:
        InvalidInput: `longest` is no span of time, or longer than ten years.
    """
    span = checked_span(longest, "longest", name)
    assert span is not None
    if span > MAX_WITHIN:
        raise InvalidInput(f"tool {name}: longest={longest!r} is longer than {MAX_WITHIN.days} days.")

    @tool(name=name, description=_DESCRIPTION, effect=Effect.READ)
    async def wait(seconds: Seconds = None, until: Until = None) -> Sleep:
        if (seconds is None) == (until is None):
            raise ToolError("Give either seconds or until.")
        if seconds is None:
            assert until is not None
            asked = until - datetime.now(until.tzinfo)
        else:
            asked = timedelta(seconds=min(seconds, MAX_WITHIN.total_seconds()))
        if asked > span:
            raise ToolError(f"You may wait for {span.total_seconds():.10g} seconds at most.")
        return Sleep(until=until) if seconds is None else Sleep(lasts=asked)

    return wait
