"""One call on its way through the toolbox, and the shape of what it passes."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from powerloop.kernel.calls import ToolOutcome
from powerloop.kernel.tools import Tool, ToolContext, ToolSpec
from powerloop.kernel.waits import ToolWait
from powerloop.tools.arguments import Bound


def _nothing() -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """A tool, the call that it is to serve, and what is known of its arguments so far."""

    tool: Tool
    #: Read once: a tool may compute it.
    spec: ToolSpec
    context: ToolContext[Any]
    #: As the model gave them.
    arguments: Mapping[str, Any]
    #: What the model wrote where its arguments were not a JSON object.
    malformed: str
    #: The arguments as the tool takes them, once `Validated` has seen them.
    bound: Bound = field(default_factory=Bound)
    #: To be called on the event loop when the tool itself begins: a wait for a thread is not its time.
    begun: Callable[[], None] = _nothing

    @property
    def log_fields(self) -> dict[str, str | int]:
        """The ids of the call, as extra fields of a log record."""
        return {
            "session_id": self.context.session_id,
            "send_id": self.context.send_id,
            "call_id": self.context.call_id,
            "agent": self.context.agent,
            "attempt": self.context.attempt,
            "tool": self.spec.name,
        }


#: Carries the call out, or the rest of the way to it.
Step: TypeAlias = Callable[[Invocation], Awaitable[ToolOutcome | ToolWait]]


class Wrapper(Protocol):
    """Something that happens around each call."""

    async def __call__(self, invocation: Invocation, then: Step) -> ToolOutcome | ToolWait:
        """Carry the call out by `then`, or refuse it by raising a `ToolError`."""
        ...
