"""The bridge between Celery's synchronous tracer and an event loop: a greenlet in which plain code may await.

The coroutine that is awaited runs in the greenlet, not beside it: only the futures on which it is suspended
go out to the loop. So what Celery keeps per greenlet, `Task.request` above all, is there in the coroutine
too.
"""

import types
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped] # stubs are a package apart

from powerloop.kernel.errors import WrongUse

T = TypeVar("T")

#: What a cancellation means that came out of an awaited coroutine; `None`: no more than that.
Translation = Callable[[CancelledError], BaseException | None]


def _untranslated(_cancelled: CancelledError) -> None:
    """A cancellation is a cancellation."""


class _Bridge(greenlet):  # type: ignore[misc] # as above
    """A greenlet whose parent, a coroutine, waits for what it cannot wait for itself."""

    def __init__(self, function: Callable[[], object], translate: Translation) -> None:
        parent = getcurrent()
        super().__init__(function, parent)
        # One context on both sides: what a signal handler sets in the greenlet (a trace span, say) is seen in
        # tasks that the coroutine starts.
        self.gr_context = parent.gr_context
        self.translate = translate


@types.coroutine
def run_in_greenlet(
    function: Callable[[], T], translate: Translation = _untranslated
) -> Generator[Any, Any, T]:
    """Run `function`, in which `await_in_greenlet` works, and return what it returns.

    Args:
        function: Plain code. It occupies the loop's thread except while it awaits.
        translate: Asked when a coroutine that `function` awaits was cancelled; `function` sees the answer.
    """
    bridge = _Bridge(function, translate)
    result = bridge.switch()
    while not bridge.dead:
        try:
            value = yield result
        except BaseException as error:  # noqa: BLE001 - the suspended code decides what becomes of it
            result = bridge.throw(error)
        else:
            result = bridge.switch(value)
    return result  # type: ignore[no-any-return]


def in_bridge() -> bool:
    """Whether the calling code may use `await_in_greenlet`."""
    return isinstance(getcurrent(), _Bridge)


def await_in_greenlet(awaitable: Awaitable[T]) -> T:
    """Await from plain code under `run_in_greenlet`, at whatever depth. The loop goes on meanwhile.

    Raises:
        WrongUse: the calling code does not run there.
    """
    bridge = getcurrent()
    if not isinstance(bridge, _Bridge):
        raise WrongUse("plain code can only await inside a task of the asyncio pool.")
    assert bridge.parent is not None
    try:
        return _drive(awaitable.__await__(), bridge.parent.switch)
    except CancelledError as cancelled:
        meaning = bridge.translate(cancelled)
        if meaning is None:
            raise
        raise meaning from cancelled


def _drive(steps: Generator[Any, Any, T], wait_for: Callable[[Any], Any]) -> T:
    resume: Callable[[], Any] = partial(steps.send, None)
    try:
        while True:
            awaited = resume()
            try:
                resume = partial(steps.send, wait_for(awaited))
            except BaseException as error:  # noqa: BLE001 - the suspended code decides what becomes of it
                resume = partial(steps.throw, error)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
