"""`PowerLoop`: the same face for programs without an event loop. The one sync bridge of the library."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from functools import update_wrapper
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from powerloop.client.handles import SendHandle
from powerloop.client.loop import AsyncPowerLoop
from powerloop.client.runs import RunHandle
from powerloop.kernel.agents import Agent
from powerloop.kernel.events import Event
from powerloop.kernel.ids import RunId, SendId, SessionId
from powerloop.llm import PriceTable, Script
from powerloop.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")
InnerT = TypeVar("InnerT")
HandleT = TypeVar("HandleT")


class _Bridge:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="powerloop-bridge", daemon=True)
        self._thread.start()

    def run(self, awaitable: Awaitable[R]) -> R:
        """Wait for the result. An interrupt of the waiting thread cancels the work."""
        future = asyncio.run_coroutine_threadsafe(_awaited(awaitable), self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


class _Blocking:
    """Something with an async twin inside."""

    _inner: Any

    def __init__(self, inner: object, bridge: _Bridge) -> None:
        self._inner = inner
        self._bridge = bridge


def _blocking(
    method: Callable[Concatenate[InnerT, P], Awaitable[R]],
) -> Callable[Concatenate["_Blocking", P], R]:
    """The method, waiting for its result."""

    def call(blocking: _Blocking, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return blocking._bridge.run(method(blocking._inner, *args, **kwargs))  # noqa: SLF001 - its own method

    return update_wrapper(call, method)


class BlockingSendHandle(_Blocking):
    """A send, as a blocking producer holds it; see `SendHandle`."""

    _inner: SendHandle

    @property
    def id(self) -> SendId:
        """The send's id, which is its Celery task's id too."""
        return self._inner.id

    @property
    def session_id(self) -> SessionId:
        return self._inner.session_id

    refresh = _blocking(SendHandle.refresh)
    status = _blocking(SendHandle.status)
    result = _blocking(SendHandle.result)
    cancel = _blocking(SendHandle.cancel)

    def events(self, after: str = "") -> Iterator[Event]:
        """See `SendHandle.events`."""
        events = self._inner.events(after)
        while (event := self._bridge.run(_next(events))) is not None:
            yield event

    def __repr__(self) -> str:
        return repr(self._inner)


class BlockingRunHandle(_Blocking):
    """A run of a workflow, as a blocking producer holds it; see `RunHandle`."""

    _inner: RunHandle

    @property
    def id(self) -> RunId:
        """The run's id: that of the send which first drove it."""
        return self._inner.id

    run = _blocking(RunHandle.run)
    status = _blocking(RunHandle.status)
    result = _blocking(RunHandle.result)
    cancel = _blocking(RunHandle.cancel)
    signal = _blocking(RunHandle.signal)
    tree = _blocking(RunHandle.tree)

    def __repr__(self) -> str:
        return repr(self._inner)


def _handled(
    handle: Callable[[R, _Bridge], HandleT], method: Callable[Concatenate[InnerT, P], Awaitable[R]]
) -> Callable[Concatenate[_Blocking, P], HandleT]:
    """The method, waiting for its handle, whose methods wait in turn."""

    def call(blocking: _Blocking, /, *args: P.args, **kwargs: P.kwargs) -> HandleT:
        bridge = blocking._bridge  # noqa: SLF001 - its own method
        return handle(bridge.run(method(blocking._inner, *args, **kwargs)), bridge)  # noqa: SLF001 - as above

    return update_wrapper(call, method)


class PowerLoop(_Blocking):
    """Sessions and sends, blocking. A context manager; safe to use from many threads.

    See `AsyncPowerLoop`.
    """

    _inner: AsyncPowerLoop

    def __init__(self, inner: AsyncPowerLoop) -> None:
        super().__init__(inner, _Bridge())

    @classmethod
    def from_env(cls, settings: Settings | None = None) -> Self:
        """See `AsyncPowerLoop.from_env`."""
        return cls(AsyncPowerLoop.from_env(settings))

    @classmethod
    def local(
        cls,
        path: str | Path,
        *,
        agents: Iterable[Agent],
        scripts: Mapping[str, Script] | None = None,
        concurrency: int = 100,
        prices: PriceTable | None = None,
    ) -> Self:
        """See `AsyncPowerLoop.local`."""
        return cls(
            AsyncPowerLoop.local(path, agents=agents, scripts=scripts, concurrency=concurrency, prices=prices)
        )

    def __enter__(self) -> Self:
        """Connect; errors as `AsyncPowerLoop.__aenter__`."""
        try:
            self._bridge.run(self._inner.__aenter__())
        except BaseException:
            self._bridge.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of every connection, and of the bridge's thread."""
        self._bridge.run(self._inner.close())
        self._bridge.stop()

    create_session = _blocking(AsyncPowerLoop.create_session)
    get_session = _blocking(AsyncPowerLoop.get_session)
    list_sessions = _blocking(AsyncPowerLoop.list_sessions)
    update_session = _blocking(AsyncPowerLoop.update_session)
    close_session = _blocking(AsyncPowerLoop.close_session)
    pause_session = _blocking(AsyncPowerLoop.pause_session)
    resume_session = _blocking(AsyncPowerLoop.resume_session)
    delete_session = _blocking(AsyncPowerLoop.delete_session)
    messages = _blocking(AsyncPowerLoop.messages)
    list_sends = _blocking(AsyncPowerLoop.list_sends)
    cancel = _blocking(AsyncPowerLoop.cancel)
    interactions = _blocking(AsyncPowerLoop.interactions)
    get_interaction = _blocking(AsyncPowerLoop.get_interaction)
    answer = _blocking(AsyncPowerLoop.answer)
    usage = _blocking(AsyncPowerLoop.usage)
    explain = _blocking(AsyncPowerLoop.explain)
    agents = _blocking(AsyncPowerLoop.agents)
    list_runs = _blocking(AsyncPowerLoop.list_runs)
    pause_run = _blocking(AsyncPowerLoop.pause_run)
    save_workflow = _blocking(AsyncPowerLoop.save_workflow)
    schedule = _blocking(AsyncPowerLoop.schedule)
    get_timer = _blocking(AsyncPowerLoop.get_timer)
    list_timers = _blocking(AsyncPowerLoop.list_timers)
    timer_firings = _blocking(AsyncPowerLoop.timer_firings)
    preview_timer = _blocking(AsyncPowerLoop.preview_timer)
    preview_schedule = _blocking(AsyncPowerLoop.preview_schedule)
    pause_timer = _blocking(AsyncPowerLoop.pause_timer)
    resume_timer = _blocking(AsyncPowerLoop.resume_timer)
    postpone_timer = _blocking(AsyncPowerLoop.postpone_timer)
    cancel_timer = _blocking(AsyncPowerLoop.cancel_timer)
    get_workflow = _blocking(AsyncPowerLoop.get_workflow)
    list_workflows = _blocking(AsyncPowerLoop.list_workflows)

    start_workflow = _handled(BlockingRunHandle, AsyncPowerLoop.start_workflow)
    get_run = _handled(BlockingRunHandle, AsyncPowerLoop.get_run)
    resume_run = _handled(BlockingRunHandle, AsyncPowerLoop.resume_run)
    retry_node = _handled(BlockingRunHandle, AsyncPowerLoop.retry_node)
    skip_node = _handled(BlockingRunHandle, AsyncPowerLoop.skip_node)
    trigger_timer = _handled(BlockingSendHandle, AsyncPowerLoop.trigger_timer)
    send = _handled(BlockingSendHandle, AsyncPowerLoop.send)
    get_send = _handled(BlockingSendHandle, AsyncPowerLoop.get_send)


async def _awaited(awaitable: Awaitable[R]) -> R:
    return await awaitable


async def _next(events: AsyncIterator[Event]) -> Event | None:
    return await anext(events, None)
