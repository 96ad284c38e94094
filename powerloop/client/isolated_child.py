"""The process of an isolated leaf: one send of one agent, asked for on stdin, told on stdout.

``python -m powerloop.client.isolated_child``. Everything is kept in memory, and gone when it ends. It ends
with 0 whenever it can tell an outcome; what it logs, and what tools print, goes to standard error.
"""

import asyncio
import logging
import os
import sys
from contextlib import aclosing, suppress
from signal import SIGTERM
from typing import BinaryIO, Final

from powerloop.client.app import App, load_app
from powerloop.client.handles import SendHandle
from powerloop.client.local import MEMORY, LocalBackend
from powerloop.client.loop import AsyncPowerLoop
from powerloop.kernel.errors import PowerLoopError, ResultTimeout
from powerloop.kernel.ids import SessionId
from powerloop.kernel.interactions import InteractionStatus
from powerloop.kernel.sends import Send, SendError, SendStatus
from powerloop.kernel.sessions import Lifecycle, NewSession, Origin
from powerloop.llm.isolated_wire import LeafOutcome, LeafRequest, outcome_to_json, request_from_json
from powerloop.logs import log_with_fields
from powerloop.settings import read_settings
from powerloop.store.memory import MemoryStore

WAITS: Final = SendError(
    code="isolation.waits",
    message=(
        "The agent waits for a person, which it cannot do in a process of its own. Give it no tools that ask "
        "or need approval, or run it without isolation."
    ),
)
CUT_OFF: Final = SendError(
    code="isolation.cut_off", message="The process was asked to end before the agent had."
)

_SESSION: Final = SessionId("isolated")
#: Sub-agents run in this process too.
_CONCURRENCY: Final = 100
#: How long a send that is to end may take to write down what it cost.
_CLOSED_WITHIN_S: Final = 2.0


class Leaf:
    """One send, from its start to its outcome. Made on the event loop that runs it."""

    def __init__(self, app: App) -> None:
        self._backend = LocalBackend(
            MEMORY, app.agents, scripts=app.scripts, concurrency=_CONCURRENCY, prices=app.prices
        )
        self._asked_to_end = asyncio.Event()

    async def run(self, request: LeafRequest) -> LeafOutcome:
        """Run the send that is asked for. SIGTERM ends it early."""
        asyncio.get_running_loop().add_signal_handler(SIGTERM, self._asked_to_end.set)
        async with AsyncPowerLoop(self._backend) as loop:
            await self._backend.store.sessions.create(_session(request))
            handle = await loop.send(_SESSION, request.content)
            trouble = await self._trouble(handle, request.deadline.total_seconds())
            if trouble:
                await handle.cancel(reason=trouble.code)
                with suppress(ResultTimeout):
                    await handle.result(timeout=_CLOSED_WITHIN_S)
            return self._outcome(await handle.refresh(), trouble)

    async def _trouble(self, handle: SendHandle, seconds: float) -> SendError | None:
        """Why the send is not to be waited for any longer; `None`: it has ended."""
        ended = asyncio.create_task(handle.result())
        asked = asyncio.create_task(self._someone_is_asked())
        told = asyncio.create_task(self._asked_to_end.wait())
        tasks = (ended, asked, told)
        try:
            await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                ended.result()
                return None
            return WAITS if asked.done() else CUT_OFF
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _someone_is_asked(self) -> None:
        """Return when a person is to be asked anything. Sub-agents ask in sessions of their own: what they
        do is looked at whenever there is news, and every second without."""
        interactions = self._backend.store.interactions
        async with aclosing(self._backend.feed.read(_SESSION, "")) as batches:
            async for _ in batches:
                if await interactions.list(status=InteractionStatus.OPEN, limit=1):
                    return

    def _outcome(self, send: Send, trouble: SendError | None) -> LeafOutcome:
        store = self._backend.store
        assert isinstance(store, MemoryStore)
        entries = tuple(row.entry for row in store.ledger)
        if send.status is not SendStatus.COMPLETED:
            error = trouble or send.error or CUT_OFF
            return LeafOutcome(error=error, usage=send.usage, entries=entries)
        return LeafOutcome(
            status=send.status,
            text=send.text,
            stop_reason=send.stop_reason,
            usage=send.usage,
            entries=entries,
        )


def main() -> None:
    """Be the process."""
    answer = _take_stdout()
    log_with_fields(logging.INFO)
    outcome = _answer(sys.stdin.buffer.read())
    with answer:
        answer.write(outcome_to_json(outcome))


def _answer(asked: bytes) -> LeafOutcome:
    try:
        request = request_from_json(asked)
        app = load_app(read_settings(discover=False).app)
        return asyncio.run(_run(app, request))
    except PowerLoopError as error:
        return LeafOutcome(error=SendError(code=error.code, message=str(error)))


async def _run(app: App, request: LeafRequest) -> LeafOutcome:
    return await Leaf(app).run(request)


def _session(request: LeafRequest) -> NewSession:
    """The session, whose agent the executor narrows as the spec says, like that of any sub-agent."""
    origin = Origin(parent_id=_SESSION, lifecycle=Lifecycle.DETACHED, spec=request.spec)
    return NewSession(id=_SESSION, agent=request.agent, origin=origin if request.spec else None)


def _take_stdout() -> BinaryIO:
    """What was standard output. From here on that is standard error, whoever prints, children included."""
    private = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return os.fdopen(private, "wb")


if __name__ == "__main__":
    main()
