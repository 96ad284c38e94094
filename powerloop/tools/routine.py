"""A function that an author gave, and how it is run: on the event loop or in a thread."""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from powerloop.kernel.tools import ToolContext
from powerloop.tools.arguments import Bound
from powerloop.tools.threads import ToolThreads

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Routine(Generic[T]):
    """A function to be run for one call, and what is made of its result."""

    function: Callable[..., Any]
    #: Whether it is given the context of the call first.
    takes_context: bool
    #: Whether calling it may block, so that it needs a thread.
    blocking: bool
    #: Makes the result of what the function returns, in the thread if there is one, for it may take a while.
    #: What it has made it leaves as it is.
    conclude: Callable[[object], T]

    async def run(
        self,
        context: ToolContext[Any],
        bound: Bound,
        threads: ToolThreads,
        *,
        begun: Callable[[], None] | None = None,
        log_fields: Mapping[str, Any] | None = None,
    ) -> T:
        """Run the function with arguments that were checked. What it raises is raised.

        Args:
            context: What the function gets first, if it asks for it.
            bound: The arguments.
            threads: Where a blocking function runs.
            begun: Called when the function begins; a blocking one may have to wait for a thread.
            log_fields: Extra fields of what is logged.
        """
        if self.blocking:
            work = functools.partial(self._work, context, bound)
            value: object = await threads.run(work, begun=begun, log_fields=log_fields or {})
        else:
            if begun is not None:
                begun()
            value = self._apply(context, bound)
        if inspect.isawaitable(value):
            value = await value
        return self.conclude(value)

    def _apply(self, context: ToolContext[Any], bound: Bound) -> object:
        if self.takes_context:
            return self.function(context, *bound.args, **bound.kwargs)
        return self.function(*bound.args, **bound.kwargs)

    def _work(self, context: ToolContext[Any], bound: Bound) -> object:
        """What the thread does.

        A decorator around an async function may be a plain function that returns an awaitable: the loop
        awaits it.
        """
        value = self._apply(context, bound)
        return value if inspect.isawaitable(value) else self.conclude(value)
