"""Starting and stopping a worker process's runtime."""

import asyncio
from types import SimpleNamespace

import pytest

from powerloop.kernel.errors import StoreUnavailable
from powerloop.workers.runtime import Runtime, WorkerLifecycle


class Parts:
    """Everything of a runtime, each of which notes its end."""

    def __init__(self, *, announce_fails: bool) -> None:
        self.alive = set()
        self.announce_fails = announce_fails
        self.runtime = Runtime(
            agents=(),
            models=None,
            store=SimpleNamespace(open=self._open, agents=SimpleNamespace(announce=self._announce)),
            executor=None,
            tools=None,
            runs=None,
            timers=None,
            producer=None,
            heartbeat=SimpleNamespace(
                start=lambda: self.alive.add("heartbeat"), stop=lambda: self.alive.discard("heartbeat")
            ),
            nudges=SimpleNamespace(start=lambda: self.alive.add("nudges")),
            closing=(SimpleNamespace(close=self._close),),
        )

    async def _open(self):
        self.alive.add("store")

    async def _announce(self, agents):
        if self.announce_fails:
            raise StoreUnavailable("the database went away")

    async def _close(self):
        self.alive -= {"store", "nudges"}


async def test_a_start_that_fails_leaves_nothing_running():
    parts = Parts(announce_fails=True)
    lifecycle = WorkerLifecycle(lambda: parts.runtime)
    with pytest.raises(StoreUnavailable):
        await lifecycle.start(asyncio.get_running_loop())
    assert parts.alive == set()


async def test_a_runtime_that_was_started_is_stopped_with_its_process():
    parts = Parts(announce_fails=False)
    lifecycle = WorkerLifecycle(lambda: parts.runtime)
    await lifecycle.start(asyncio.get_running_loop())
    assert parts.alive == {"heartbeat", "nudges", "store"}
    await lifecycle.stop()
    assert parts.alive == set()
