"""The verbs of workflows: start, find, follow, pause, go on, repair."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid5

from uuid6 import uuid7

from powerloop.client.choices import chosen
from powerloop.client.publishing import published
from powerloop.client.runs import RunHandle
from powerloop.client.stored_workflows import runnable
from powerloop.client.verbs import Verbs
from powerloop.kernel.dispatch import Ready
from powerloop.kernel.errors import InvalidInput, RunAlive, RunNotFound, SessionNotFound
from powerloop.kernel.ids import CallId, RunId, SendId, SessionId
from powerloop.kernel.limits import Budget
from powerloop.kernel.messages import TextBlock
from powerloop.kernel.queues import MAX_PRIORITY
from powerloop.kernel.sends import NewSend, Send, SendStatus
from powerloop.kernel.sessions import NewSession
from powerloop.kernel.workflows import RUNNER, Resume, RunAdvance, RunStatus, WorkflowRun
from powerloop.workflow.run_tool import resume_text, start_text
from powerloop.workflow.spec import WorkflowSpec

#: Seconds between two looks at a run that is to go on.
_LOOK_S: Final = 0.05

_NOT_BEGUN: Final = (SendStatus.QUEUED, SendStatus.RUNNING)

_NAMESPACE: Final = UUID("5a2c6f0e-93f4-4b0c-8a5e-1b8a0d3f6c77")


class WorkflowVerbs(Verbs):
    """What a producer does with workflows."""

    async def start_workflow(
        self,
        workflow: WorkflowSpec | Mapping[str, Any] | str,
        input: Any = None,  # noqa: ANN401 - any JSON
        *,
        session_id: str | None = None,
        idempotency_key: str | None = None,
        priority: int = 0,
        metadata: Mapping[str, Any] | None = None,
    ) -> RunHandle:
        """Accept a run of a workflow. It is durable when this returns.

        Args:
            workflow: A spec, or JSON of one; or the name of a stored workflow, ``name`` or ``name@version``.
                Stored workflows that it names in turn are put into it now: saving them anew changes nothing
                for this run.
            input: What the run is given, any JSON; what the workflow says unless given.
            session_id: A session that is told of its end, by a send that steers. A run that is cancelled
                tells nobody.
            idempotency_key: The same key gives the same run of a workflow of this name, whatever else is
                said.
            priority: 0 to 9; higher goes first. Its leaves have the same.
            metadata: JSON to find it by; its leaves have it too.

        Raises:
            WorkflowInvalid: the workflow has problems; all of them are told. An agent that no worker has
                announced is one, and a stored workflow that there is not.
            WorkflowNotFound: no workflow is stored under the name.
            SessionNotFound: there is no such session.
            InvalidInput: the priority is none.
        """
        spec = await runnable(self._backend.store, workflow)
        if session_id is not None and not await self._backend.store.sessions.find(SessionId(session_id)):
            raise SessionNotFound(session_id)
        if isinstance(priority, bool) or not 0 <= priority <= MAX_PRIORITY:
            raise InvalidInput(f"priority is a number from 0 to {MAX_PRIORITY}, not {priority!r}.")
        name = str(uuid7())
        if idempotency_key is not None:
            name = str(uuid5(_NAMESPACE, f"{spec.name}\n{idempotency_key}"))
        described = {**spec.metadata, **(metadata or {}), "workflow": spec.name}
        session = await self._backend.store.sessions.ensure(
            NewSession(id=SessionId(name), agent=RUNNER, metadata=described)
        )
        new = NewSend(
            id=SendId(str(uuid7())),
            session_id=session.id,
            content=(TextBlock(text=start_text(spec, input, session_id)),),
            idempotency_key=idempotency_key,
            priority=priority,
            metadata=described,
            budget=_budget_of(spec),
        )
        return self._run_handle((await self._producer.accept(new)).send)

    async def get_run(self, run_id: str) -> RunHandle:
        """The handle of a run, in any process.

        Raises:
            RunNotFound: there is none of that id.
        """
        send = await self._backend.store.sends.find(SendId(run_id))
        if send is None or send.agent != RUNNER:
            raise RunNotFound(run_id)
        return self._run_handle(send)

    async def list_runs(
        self, *, status: RunStatus | str | None = None, name: str | None = None, limit: int = 100
    ) -> Sequence[WorkflowRun]:
        """Runs, latest first: those that no worker has begun yet are open too.

        Args:
            status: Only those in this state.
            name: Only those of workflows of this name.
            limit: At most so many.
        """
        wanted = None if status is None else chosen(RunStatus, status, "state of a run")
        store = self._backend.store
        waiting: Sequence[Send] = ()
        if wanted in (None, RunStatus.OPEN):
            # Looked at first: one that is begun meanwhile is found below.
            waiting = await store.sends.list(agent=RUNNER, status=_NOT_BEGUN, limit=limit)
        begun = await store.workflows.list(status=wanted, name=name, limit=limit)
        known: set[str] = {run.id for run in begun}
        unbegun = [_unbegun(send) for send in waiting if send.position == 1 and send.id not in known]
        listed = [*begun, *(run for run in unbegun if name in (None, run.name))]
        return sorted(listed, key=lambda run: (run.created_at, run.id), reverse=True)[:limit]

    async def pause_run(self, run_id: str) -> WorkflowRun:
        """Have no further node of the run begin, and no leaf be claimed. What runs goes on to its end, or
        until it waits; its result is taken note of when the run goes on. Pausing twice changes nothing.

        Raises:
            RunNotFound: there is no such run, or no worker has begun it.
        """
        return await self._backend.store.workflows.pause(RunId(run_id))

    async def resume_run(self, run_id: str) -> RunHandle:
        """Have a run go on that is paused, or that has failed or was cancelled.

        Of one that has ended, all that came to a value is kept, and what did not is tried again. A run that
        is done, or alive and not paused, is left as it is.

        Raises:
            RunNotFound: there is none of that id.
        """
        handle = await self.get_run(run_id)
        run = await handle.run()
        if run is not None and run.paused_at is not None:
            continued = await self._backend.store.workflows.resume(run.id)
            ready: tuple[Ready, ...] = (*continued.ready, RunAdvance(run_id=run.id, name=run.name))
            for one in ready:
                await published(self._backend.dispatcher, one)
        if run is not None and run.status in (RunStatus.FAILED, RunStatus.CANCELLED):
            await self._go_on(run, Resume())
        return handle

    async def retry_node(self, run_id: str, path: str) -> RunHandle:
        """Have a run that has ended go on with one node that failed or was cancelled.

        Args:
            run_id: The run.
            path: Of the node, as `RunHandle.tree` has it.

        Raises:
            RunNotFound: there is none of that id, or no worker has begun it.
            RunAlive: it has not ended.
            InvalidInput: it has no such node, or that one came to a value.
        """
        return await self._repair(run_id, Resume(path=path), "a retry of a node")

    async def skip_node(self, run_id: str, path: str, value: Any = None) -> RunHandle:  # noqa: ANN401 - any JSON
        """Have nobody wait for a node any longer: it is done, with this value. A run that has ended goes on.

        Args:
            run_id: The run.
            path: Of the node, as `RunHandle.tree` has it.
            value: What it comes to; any JSON.

        Raises:
            RunNotFound: there is none of that id, or no worker has begun it.
            InvalidInput: it has no such node, or that one came to a value.
        """
        handle = await self.get_run(run_id)
        run = await handle.run()
        if run is not None and run.status is RunStatus.OPEN:
            await self._checked_node(run, path)
            await handle.skip(path, value)
            return handle
        return await self._repair(run_id, Resume(path=path, skip=True, value=value), "this")

    async def _repair(self, run_id: str, resume: Resume, what: str) -> RunHandle:
        handle = await self.get_run(run_id)
        run = await handle.run()
        if run is None:
            raise RunNotFound(run_id)
        if run.status is RunStatus.OPEN:
            raise RunAlive(run_id, what)
        if run.status is RunStatus.DONE:
            raise InvalidInput(f"the run {run_id!r} is done: nothing of it is to be mended.")
        await self._checked_node(run, resume.path)
        await self._go_on(run, resume)
        return handle

    async def _go_on(self, run: WorkflowRun, resume: Resume) -> None:
        """Accept the send that goes on with the run: the same for all that ask at once."""
        driven = await self._backend.store.sends.find(run.send_id)
        first = await self._backend.store.sends.find(SendId(run.id))
        if driven is None or first is None:
            raise RunNotFound(run.id)
        new = NewSend(
            id=SendId(str(uuid7())),
            session_id=run.session_id,
            content=(TextBlock(text=resume_text(run.id, resume)),),
            idempotency_key=f"resume {driven.position}",
            priority=first.priority,
            metadata=first.metadata,
            budget=first.budget,
        )
        accepted = await self._producer.accept(new)
        await self._begun(run, accepted.send)

    async def _begun(self, run: WorkflowRun, send: Send) -> None:
        """Wait until the run is driven by the send: until then, it looks as if it had ended."""
        handle = self._handle(send)
        while not (await handle.refresh()).status.is_final:
            current = await self._backend.store.workflows.find(run.id)
            if current is None or current.send_id == send.id:
                return
            await asyncio.sleep(_LOOK_S)

    async def _checked_node(self, run: WorkflowRun, path: str | None) -> None:
        nodes = await self._backend.store.workflows.nodes(run.id)
        found = next((node for node in nodes if node.current and node.path == path), None)
        if found is None:
            raise InvalidInput(
                f"the run {run.id!r} has no node {path!r}.",
                hint="Look at its tree: `powerloop workflow show`.",
            )
        if found.status.is_final and found.status.value in ("done", "skipped"):
            raise InvalidInput(f"the node {path!r} came to a value: it is {found.status}.")

    def _run_handle(self, send: Send) -> RunHandle:
        return RunHandle(send, self._backend, self._watcher, self._canceller)


def _unbegun(send: Send) -> WorkflowRun:
    """The run that a worker will begin with the send."""
    return WorkflowRun(
        id=RunId(send.id),
        send_id=send.id,
        call_id=CallId(""),
        session_id=send.session_id,
        owner_id=None,
        name=str(send.metadata.get("workflow", "")),
        status=RunStatus.OPEN,
        value=None,
        code="",
        message="",
        created_at=send.created_at,
        paused_at=None,
        ended_at=None,
    )


def _budget_of(spec: WorkflowSpec) -> Budget | None:
    """What the run may use in all, and how long it may take."""
    limits = spec.budget
    if limits is None and spec.deadline_s is None:
        return None
    span = None if spec.deadline_s is None else timedelta(seconds=spec.deadline_s)
    if limits is None:
        return Budget(wall_clock=span)
    return Budget(
        input_tokens=limits.input_tokens,
        output_tokens=limits.output_tokens,
        total_tokens=limits.total_tokens,
        cost=None if limits.cost is None else Decimal(str(limits.cost)),
        wall_clock=span,
    )
