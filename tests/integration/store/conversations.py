"""Conversations with sends in every state, held through the ports as the executor holds them."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from powerloop.kernel.budgets import Spending
from powerloop.kernel.calls import CallStatus, Effect, NewToolCall, ToolOutcome
from powerloop.kernel.endings import CutOff, cancelled, failure
from powerloop.kernel.ids import CallId, InteractionId, SendId, SessionId, TaskId, WorkerId
from powerloop.kernel.interactions import InteractionKind, NewInteraction
from powerloop.kernel.limits import Budget, TreeLimits
from powerloop.kernel.messages import NewMessage, Role, TextBlock, ToolCallBlock, ToolResultBlock
from powerloop.kernel.ports.journal import Ending, ModelCommit, ResultsCommit
from powerloop.kernel.ports.lease import Leases
from powerloop.kernel.ports.store import Store
from powerloop.kernel.queues import QueueName
from powerloop.kernel.sends import Claim, Lineage, NewSend, Send, SendError, StopReason
from powerloop.kernel.sessions import Lifecycle, NewSession, Origin
from powerloop.kernel.suspension import NewChild, NewSleep, Suspension
from powerloop.kernel.tool_tasks import NewToolTask
from powerloop.kernel.usage import CallOutcome, ModelCallEntry, Usage

ENTRY = ModelCallEntry(
    model="scripted:demo",
    usage=Usage(input_tokens=7, output_tokens=5, cached_tokens=3, reasoning_tokens=1),
    outcome=CallOutcome.OK,
    latency=timedelta(seconds=1),
    cost=Decimal("0.00000001"),
)
ALIVE = WorkerId("alive")


@dataclass
class Conversations:
    """``talk``: sends that are ``done``, ``broken``, ``stopped`` and ``doubtful``, and one ``behind`` them;
    ``busy``: one that is ``working``; ``line``: one at the ``head``; ``idle``: none; ``thrift`` and ``help``:
    ``frugal`` and its sub-agent ``helping``, which share a budget and call models; ``home``: a ``parent``
    that waits for its sub-agent ``child``, and was told of the end of ``grown``; ``shop``: one that is
    ``patient``, with a call ``queued`` on a queue of its own, one ``run`` there, and one ``asleep``."""

    store: Store
    leases: Leases
    prefix: str = ""

    async def hold(self) -> None:
        """Hold them all."""
        await asyncio.to_thread(self.leases.renew, ALIVE, timedelta(minutes=5))
        for name in ("talk", "busy", "line", "idle", "thrift", "help", "home", "shop"):
            await self.store.sessions.create(NewSession(id=SessionId(self.prefix + name), agent="support"))
        sends = [
            await self._accept("talk", name) for name in ("done", "broken", "stopped", "doubtful", "behind")
        ]
        await self._complete(await self._claim(sends[0]))
        await self._fail(await self._claim(sends[1]))
        await self._stop(await self._claim(sends[2]))
        await self._doubt(await self._claim(sends[3]))
        await self._ask(await self._claim(await self._accept("busy", "working")), 1, "open")
        await self._accept("line", "head")
        await self._spend(await self._claim(await self._accept("thrift", "frugal")))
        await self._delegate(await self._claim(await self._accept("home", "parent")))
        await self._queue(await self._claim(await self._accept("shop", "patient")))

    async def _accept(self, session: str, name: str) -> Send:
        new = NewSend(
            id=SendId(self.prefix + name),
            session_id=SessionId(self.prefix + session),
            content=(TextBlock(text="hello"),),
        )
        return (await self.store.sends.accept(new)).send

    async def _claim(self, send: Send) -> Claim:
        claim = await self.store.journal.claim(send, ALIVE)
        assert claim is not None
        return claim

    async def _ask(self, claim: Claim, number: int, *call_ids: str, effect: Effect = Effect.READ) -> None:
        blocks = tuple(ToolCallBlock(id=CallId(name), name="look", arguments={}) for name in call_ids)
        calls = tuple(
            NewToolCall(id=block.id, name="look", arguments={}, effect=effect, index=index)
            for index, block in enumerate(blocks)
        )
        message = NewMessage(role=Role.ASSISTANT, content=(TextBlock(text="I shall look."), *blocks))
        failed = replace(ENTRY, outcome=CallOutcome.FAILED, error_code="model.unavailable")
        commit = ModelCommit(round=number, message=message, calls=calls, entries=(failed, ENTRY))
        await self.store.journal.commit_model(claim.fence, commit)

    async def _complete(self, claim: Claim) -> None:
        await self._ask(claim, 1, "a", "b")
        outcomes = [
            ToolOutcome(call_id=CallId(name), status=CallStatus.DONE, text="seen") for name in ("a", "b")
        ]
        for count in (1, 2):
            blocks = tuple(ToolResultBlock(call_id=one.call_id, text=one.text) for one in outcomes)
            results = NewMessage(role=Role.TOOL, content=blocks) if count == 2 else None
            commit = ResultsCommit(outcomes=(outcomes[count - 1],), message=results)
            await self.store.journal.commit_results(claim.fence, commit)
        answer = NewMessage(role=Role.ASSISTANT, content=(TextBlock(text="bye"),))
        ending = Ending.completed(
            StopReason.END_TURN, rounds=2, output=answer.content, messages=(answer,), entries=(ENTRY,)
        )
        await self.store.journal.finish(claim.fence, ending)

    async def _spend(self, root: Claim) -> None:
        budget, wanted = Budget(output_tokens=100), Spending(input_tokens=10, output_tokens=20)
        root = replace(root, fence=replace(root.fence, budgets=(root.send.id,)))
        await self.store.journal.reserve(root.fence, budget, wanted)
        await self._ask(root, 1, "spent")
        await self.store.journal.reserve(root.fence, budget, wanted)
        child = await self._claim(await self._accept("help", "helping"))
        child = replace(child, fence=replace(child.fence, budgets=root.fence.budgets))
        await self.store.journal.reserve(child.fence, Budget(), wanted)

    async def _delegate(self, claim: Claim) -> None:
        await self._ask(claim, 1, "delegated", "told")
        children = (self._child(claim, "delegated", "child"), self._child(claim, "told", "grown"))
        await self.store.journal.suspend(claim.fence, Suspension(children=children, max_descendants=2))
        await self.store.sends.cancel(children[1].send_id)

    async def _queue(self, claim: Claim) -> None:
        await self._ask(claim, 1, "queued", "run", "asleep")
        tasks = tuple(
            NewToolTask(
                id=TaskId(f"{self.prefix}task-{name}"),
                call_id=CallId(name),
                tool="look",
                queue=QueueName("browser"),
                arguments={},
                edited=False,
            )
            for name in ("queued", "run")
        )
        nap = NewSleep(call_id=CallId("asleep"), lasts=timedelta(hours=1), until=None, result="good morning")
        await self.store.journal.suspend(claim.fence, Suspension(tasks=tasks, sleeps=(nap,)))
        task = await self.store.tool_tasks.find(tasks[1].id)
        assert task is not None
        assert await self.store.tool_tasks.claim(task, ALIVE)

    def _child(self, claim: Claim, call_id: str, name: str) -> NewChild:
        parent = claim.send
        return NewChild(
            call_id=CallId(call_id),
            session=NewSession(
                id=SessionId(f"{self.prefix}{name}-session"),
                agent="support",
                origin=Origin(parent_id=parent.session_id, lifecycle=Lifecycle.LINKED),
            ),
            send_id=SendId(self.prefix + name),
            content=(TextBlock(text="hello"),),
            metadata={},
            priority=0,
            lineage=Lineage(
                session_id=parent.session_id,
                send_id=parent.id,
                call_id=CallId(call_id),
                root_id=parent.id,
                depth=1,
                awaited=True,
                limits=TreeLimits(total=2),
            ),
        )

    async def _fail(self, claim: Claim) -> None:
        await self._ask(claim, 1, "unrun")
        calls = await self.store.journal.load_calls(claim.send.id)
        await self.store.journal.finish(
            claim.fence, failure(calls, SendError(code="model.rejected", message="no"), rounds=1)
        )

    async def _stop(self, claim: Claim) -> None:
        await self.store.sends.cancel(claim.send.id)
        entry = replace(ENTRY, outcome=CallOutcome.CANCELLED, estimated=True)
        ending = cancelled((), rounds=0, cut=CutOff(text="I was about to", entries=(entry,)))
        await self.store.journal.finish(claim.fence, ending)

    async def _doubt(self, claim: Claim) -> None:
        await self._ask(claim, 1, "maybe", effect=Effect.ONCE)
        await self.store.journal.start_calls(claim.fence, [CallId("maybe")])
        question = NewInteraction(
            id=InteractionId(self.prefix + "question"),
            kind=InteractionKind.IN_DOUBT,
            call_id=CallId("maybe"),
            prompt="Did it happen?",
        )
        await self.store.journal.suspend(claim.fence, Suspension(interactions=(question,)))
