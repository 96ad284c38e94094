"""What a producer holds of a run of a workflow: its handle, and its result."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from powerloop.client.backend import Backend
from powerloop.client.cancelling import Canceller
from powerloop.client.publishing import published
from powerloop.client.run_tree import RunNode, tree_of
from powerloop.client.watch import Watcher
from powerloop.kernel.errors import RunNotFound
from powerloop.kernel.ids import RunId, SendId
from powerloop.kernel.planning import CANCELLED
from powerloop.kernel.ports.workflows import Said
from powerloop.kernel.sends import Cancellation, Send, SendError, SendStatus
from powerloop.kernel.workflows import Node, RunAdvance, RunStatus, WorkflowRun

#: Seconds between two looks at the nodes of a run that is followed.
_LOOK_S: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How a run ended."""

    run_id: RunId
    #: A final status.
    status: RunStatus
    #: What its root came to, when done: JSON.
    value: Any
    #: Why it did not come to a value.
    error: SendError | None

    @property
    def ok(self) -> bool:
        """Whether it is done."""
        return self.status is RunStatus.DONE


class RunHandle:
    """A run, as its producer holds it. Any process can get one: `AsyncPowerLoop.get_run`."""

    def __init__(self, send: Send, backend: Backend, watcher: Watcher, canceller: Canceller) -> None:
        self._send = send
        self._run_id = RunId(send.id)
        self._backend = backend
        self._watcher = watcher
        self._canceller = canceller

    @property
    def id(self) -> RunId:
        """The run's id: that of the send which first drove it."""
        return self._run_id

    @property
    def session_id(self) -> str:
        """The session of the sends that drive it."""
        return self._send.session_id

    async def run(self) -> WorkflowRun | None:
        """The run as it is now; `None`: no worker has begun it yet."""
        return await self._backend.store.workflows.find(self._run_id)

    async def status(self) -> RunStatus:
        """Where it is now: open from the moment that it is accepted.

        Raises:
            RunNotFound: its session was deleted.
        """
        return (await self._result()).status

    async def result(self, timeout: float | None = None) -> RunResult:
        """How the run ended, as soon as it has.

        A failed or cancelled run is a result, not an exception: look at `status` or `ok`.

        Args:
            timeout: Seconds to wait; `None` (default) waits without end.

        Raises:
            ResultTimeout: it has not ended in time. It goes on.
            RunNotFound: its session was deleted.
        """
        await self._watcher.ended(await self._driving(), timeout)
        return await self._result()

    async def cancel(self, reason: str = "", actor: str = "") -> Cancellation:
        """Ask for its end, and that of all its leaves; `result` tells when it has ended.

        Args:
            reason: Why, for the eyes of people.
            actor: Who, likewise.
        """
        driving = await self._driving()
        return await self._canceller.cancel(driving.id, reason=reason, actor=actor)

    async def signal(self, name: str, payload: Any = None, *, key: str | None = None) -> bool:  # noqa: ANN401 - any JSON
        """Say something to the run: the first ``wait`` for this name takes it, now or when it begins.

        Args:
            name: Of the signal.
            payload: What the node comes to; any JSON.
            key: The same key says the same thing once.

        Returns whether it is new.

        Raises:
            RunNotFound: no worker has begun the run yet, or its session was deleted.
        """
        return await self._tell(Said(signal=name, payload=payload, key=key))

    async def skip(self, path: str, value: Any = None) -> None:  # noqa: ANN401 - any JSON
        """Have nobody wait for an open node any longer: it is done, with this value.

        Args:
            path: Of the node, as `tree` has it.
            value: What it comes to; any JSON.

        Raises:
            RunNotFound: no worker has begun the run yet, or its session was deleted.
        """
        await self._tell(Said(path=path, payload=value))

    async def tree(self) -> RunNode | None:
        """Its nodes as they are now, with what each cost; `None`: nothing has begun."""
        workflows = self._backend.store.workflows
        return tree_of(await workflows.nodes(self._run_id), await workflows.costs(self._run_id))

    async def events(self) -> AsyncIterator[Node]:
        """Each node as it begins and whenever its state changes, until the run has ended."""
        seen: dict[str, tuple[object, ...]] = {}
        while True:
            ended = (await self._driving()).status.is_final
            for node in await self._backend.store.workflows.nodes(self._run_id):
                state = (node.status, node.begun, node.ended)
                if seen.get(node.id) != state:
                    seen[node.id] = state
                    yield node
            if ended:
                return
            await asyncio.sleep(_LOOK_S)

    async def _tell(self, said: Said) -> bool:
        is_new = await self._backend.store.workflows.tell(self._run_id, said)
        await published(self._backend.dispatcher, RunAdvance(run_id=self._run_id))
        return is_new

    async def _driving(self) -> Send:
        """The send that drives the run now, or drove it last."""
        run = await self.run()
        send_id = run.send_id if run else SendId(self._run_id)
        send = await self._backend.store.sends.find(send_id)
        if send is None:
            raise RunNotFound(self._run_id)
        return send

    async def _result(self) -> RunResult:
        run, send = await self.run(), await self._driving()
        if run is None:
            return _unbegun(self._run_id, send)
        error = None
        if run.status is RunStatus.FAILED:
            error = SendError(code=run.code, message=run.message)
        elif run.status is RunStatus.CANCELLED:
            error = _cancelled(send)
        # Its value stands before its send has ended: that is a moment later.
        status = run.status if send.status.is_final else RunStatus.OPEN
        return RunResult(run_id=run.id, status=status, value=run.value, error=error)

    def __repr__(self) -> str:
        return f"<RunHandle {self.id}>"


def _unbegun(run_id: RunId, send: Send) -> RunResult:
    match send.status:
        case SendStatus.FAILED:
            return RunResult(run_id=run_id, status=RunStatus.FAILED, value=None, error=send.error)
        case status if status.is_final:
            return RunResult(run_id=run_id, status=RunStatus.CANCELLED, value=None, error=_cancelled(send))
        case _:
            return RunResult(run_id=run_id, status=RunStatus.OPEN, value=None, error=None)


def _cancelled(send: Send) -> SendError:
    """Why the run was cut short."""
    return SendError(code=CANCELLED, message=send.cancel.reason if send.cancel else "")
