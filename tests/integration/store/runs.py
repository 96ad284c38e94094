"""Runs of workflows in every state, driven through the ports as workers drive them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from powerloop.kernel.calls import Effect, NewToolCall
from powerloop.kernel.endings import cancelled, failure
from powerloop.kernel.ids import CallId, RunId, SendId, SessionId, WorkerId
from powerloop.kernel.messages import Block, NewMessage, Role, TextBlock, ToolCallBlock, ToolResultBlock
from powerloop.kernel.ports.journal import Ending, ModelCommit, ResultsCommit
from powerloop.kernel.ports.lease import Leases
from powerloop.kernel.ports.store import Store
from powerloop.kernel.sends import Claim, NewSend, Send, SendError, StopReason
from powerloop.kernel.sessions import NewSession
from powerloop.kernel.suspension import Suspension
from powerloop.kernel.workflows import RUNNER, NewRun
from powerloop.workflow import WorkflowSpec
from powerloop.workflow.planner import WorkflowPlanner

ALIVE = WorkerId("alive")
CALL = CallId("run")


def leaf(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "tool", "id": name, "agent": "support", "tool": "look", **more}


EACH = {"type": "foreach", "as": "i", "items": [1, 2, 3, 4], "max_concurrency": 2, "body": leaf("each")}
WAITS = [{"type": "wait", "signal": "go"}, {"type": "wait", "seconds": 86_400, "timeout_s": 90_000}]
GOING = [
    leaf("first", retry={"attempts": 2, "backoff_s": 0}),
    {"type": "parallel", "branches": [EACH, *WAITS, leaf("odd", on_error="continue")]},
]
BOTH = [leaf("quick"), leaf("slow")]


@dataclass
class Runs:
    """``going``: its first leaf failed once; of its fan-out some have ended, one runs, one is queued, and two
    wait for a signal and a time. ``over``: it is done, and its loser may finish. ``halted``: it was
    cancelled, and so was its leaf."""

    store: Store
    leases: Leases
    prefix: str = ""
    planner: WorkflowPlanner = field(default_factory=WorkflowPlanner)

    async def hold(self) -> None:
        """Drive them all."""
        await asyncio.to_thread(self.leases.renew, ALIVE, timedelta(minutes=5))
        await self._go(RunId(self.prefix + "going"))
        await self._end(RunId(self.prefix + "over"))
        await self._halt(RunId(self.prefix + "halted"))

    async def _go(self, run_id: RunId) -> None:
        await self._begin(run_id, {"type": "sequence", "steps": GOING})
        (first,) = await self._advance(run_id)
        await self._fail(first)
        (again,) = await self._advance(run_id)
        await self._say(again, "a")
        odd, one, two = await self._advance(run_id)
        await self._fail(odd)
        await self._say(one, "b")
        await self._claim(two)
        await self._advance(run_id)

    async def _end(self, run_id: RunId) -> None:
        await self._begin(run_id, {"type": "parallel", "join": "any", "losers": "finish", "branches": BOTH})
        quick, slow = await self._advance(run_id)
        await self._claim(slow)
        await self._say(quick, '{"n": 1}')
        (send,) = await self._advance(run_id)
        claim = await self._claim(send)
        result = NewMessage(role=Role.TOOL, content=(ToolResultBlock(call_id=CALL, text="done"),))
        await self.store.journal.commit_results(claim.fence, ResultsCommit(outcomes=(), message=result))
        await self._finish(claim, completed("done", rounds=2))

    async def _halt(self, run_id: RunId) -> None:
        await self._begin(run_id, leaf("only"))
        await self._advance(run_id)
        await self.store.sends.cancel(SendId(run_id))
        await self._stop(await self._claim(await self._find(SendId(run_id))), rounds=1)
        for send in await self.store.workflow_recovery.disown(10):
            await self._stop(await self._claim(send), rounds=0)

    async def _begin(self, run_id: RunId, root: dict[str, Any]) -> None:
        """Accept the send of a run, and have its call wait for it."""
        spec = WorkflowSpec.parse({"name": "w", "root": root})
        session = await self.store.sessions.create(NewSession(id=SessionId(f"{run_id}-run"), agent=RUNNER))
        new = NewSend(id=SendId(run_id), session_id=session.id, content=(TextBlock(text="run"),))
        claim = await self._claim((await self.store.sends.accept(new)).send)
        block = ToolCallBlock(id=CALL, name="run_workflow", arguments={})
        call = NewToolCall(id=CALL, name=block.name, arguments={}, effect=Effect.READ, index=0)
        message = NewMessage(role=Role.ASSISTANT, content=(block,))
        await self.store.journal.commit_model(
            claim.fence, ModelCommit(round=1, message=message, calls=(call,), entries=())
        )
        begun = NewRun(call_id=CALL, run_id=run_id, spec=spec.to_json(), input=None)
        await self.store.journal.suspend(claim.fence, Suspension(runs=(begun,)))

    async def _advance(self, run_id: RunId) -> Sequence[Send]:
        """Take note of what has happened; the sends that are ready then."""
        ready = (await self.store.workflows.advance(run_id, self.planner)).ready
        return [one for one in ready if isinstance(one, Send)]

    async def _claim(self, send: Send) -> Claim:
        claim = await self.store.journal.claim(send, ALIVE)
        assert claim is not None
        return claim

    async def _say(self, send: Send, text: str) -> None:
        await self._finish(await self._claim(send), completed(text, rounds=1))

    async def _fail(self, send: Send) -> None:
        error = SendError(code="tool.failed", message="no")
        await self._finish(await self._claim(send), failure((), error, rounds=0))

    async def _stop(self, claim: Claim, *, rounds: int) -> None:
        calls = await self.store.journal.load_calls(claim.send.id)
        await self._finish(claim, cancelled(calls, rounds=rounds))

    async def _finish(self, claim: Claim, ending: Ending) -> None:
        await self.store.journal.finish(claim.fence, ending, claim.send.lineage)

    async def _find(self, send_id: SendId) -> Send:
        send = await self.store.sends.find(send_id)
        assert send is not None
        return send


def completed(text: str, *, rounds: int) -> Ending:
    output: tuple[Block, ...] = (TextBlock(text=text),)
    answer = NewMessage(role=Role.ASSISTANT, content=output)
    return Ending.completed(StopReason.END_TURN, rounds=rounds, output=output, messages=(answer,))
