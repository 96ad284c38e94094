"""Runs of workflows whose leaves are ended by the test, for the tests of stores."""

from typing import Any

from powerloop.kernel.ids import CallId, RunId, SendId
from powerloop.kernel.messages import TextBlock
from powerloop.kernel.ports.journal import Ending
from powerloop.kernel.sends import Send, SendError, StopReason
from powerloop.kernel.suspension import Suspension
from powerloop.kernel.workflows import RUNNER, NewRun, Node, Resume, RunStatus
from powerloop.workflow import WorkflowSpec
from powerloop.workflow.planner import WorkflowPlanner


class Runs:
    """One run at a time, its leaves ended by the test."""

    def __init__(self, desk: Any) -> None:
        self.desk = desk
        self.store = desk.store
        self.planner = WorkflowPlanner()
        #: Sends of leaves that have begun and not ended.
        self.open: dict[SendId, Send] = {}
        self.woken: list[Send] = []
        self.unwanted: list[SendId] = []

    async def start(self, spec: WorkflowSpec, given: Any = None) -> RunId:
        """Begin a run."""
        session = await self.desk.session(agent=RUNNER)
        send = (await self.desk.accept(session)).send
        claim = await self.desk.claimed(send)
        await self.desk.asked(claim, "run")
        new = NewRun(call_id=CallId("run"), run_id=RunId(send.id), spec=spec.to_json(), input=given)
        suspended = await self.store.journal.suspend(claim.fence, Suspension(runs=(new,)))
        assert suspended.waiting
        assert [one.id for one in suspended.started] == [f"run:{send.id}"]
        self.open, self.woken, self.unwanted = {}, [], []
        await self.advance(RunId(send.id))
        return RunId(send.id)

    async def advance(self, run_id: RunId) -> None:
        """Take note of what has happened, until there is nothing more."""
        again = True
        while again:
            advanced = await self.store.workflows.advance(run_id, self.planner)
            for send in advanced.ready:
                if send.lineage and send.lineage.leaf:
                    self.open[send.id] = send
                else:
                    self.woken.append(send)
            for send_id in advanced.unwanted:
                self.open.pop(send_id, None)
            self.unwanted += advanced.unwanted
            again = advanced.again

    async def end(self, send: Send, text: str | None, code: str = "add.failed") -> None:
        """End the send of a leaf, with a text or a failure; nobody takes note of it yet."""
        self.open.pop(send.id, None)
        claim = await self.desk.claimed(send)
        if text is None:
            ending = Ending.failed(SendError(code=code, message="no"), rounds=1)
        else:
            output = (TextBlock(text=text),)
            ending = Ending.completed(StopReason.END_TURN, rounds=1, output=output)
        await self.store.journal.finish(claim.fence, ending, send.lineage)

    async def node(self, send_id: SendId, run_id: RunId) -> Any:
        return next(one for one in await self.store.workflows.nodes(run_id) if one.id == send_id)

    async def start_root(self, root: dict[str, Any], given: Any = None, **more: Any) -> RunId:
        """Begin a run of a workflow with this root."""
        return await self.start(WorkflowSpec.parse({"name": "w", "root": root, **more}), given)

    async def at(self, run_id: RunId, path: str) -> Node:
        """The last attempt at the node of this path."""
        nodes = await self.store.workflows.nodes(run_id)
        return next(one for one in nodes if one.path == path and one.current)

    async def said(self, run_id: RunId, path: str, text: str | None, code: str = "add.failed") -> None:
        """End the leaf of this path, and take note of it."""
        node = await self.at(run_id, path)
        await self.end(self.open[SendId(node.id)], text, code)
        await self.advance(run_id)

    async def paths(self, run_id: RunId) -> list[str]:
        """The paths of the leaves that have begun and not ended."""
        nodes = {node.id: node.path for node in await self.store.workflows.nodes(run_id)}
        return sorted(nodes[send_id] for send_id in self.open)

    async def resume(self, run_id: RunId, resume: Resume | None = None) -> None:
        """Have a run that has ended go on, driven by another send."""
        run = await self.store.workflows.find(run_id)
        first = await self.store.sends.find(SendId(run.send_id))
        if not first.status.is_final:
            claim = await self.desk.claimed(first)
            await self.store.journal.finish(claim.fence, self.desk.completed(), None)
        session = await self.store.sessions.find(run.session_id)
        claim = await self.desk.claimed((await self.desk.accept(session)).send)
        await self.desk.asked(claim, "again")
        new = NewRun(call_id=CallId("again"), run_id=run_id, spec=None, input=None, resume=resume or Resume())
        await self.store.journal.suspend(claim.fence, Suspension(runs=(new,)))
        self.open, self.woken, self.unwanted = {}, [], []
        await self.advance(run_id)


def leaf(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "agent", "id": name, "agent": "a", **more}


def steps(*nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "sequence", "steps": list(nodes), **more}


def foreach(count: int, body: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "foreach", "id": "f", "as": "i", "items": list(range(count)), "body": body, **more}


def parallel(*nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "parallel", "id": "p", "branches": list(nodes), **more}


async def ended(runs: Runs, run_id: RunId) -> tuple[RunStatus, Any, str]:
    run = await runs.store.workflows.find(run_id)
    return run.status, run.value, run.code
