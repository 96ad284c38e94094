"""Parents and their sub-agents, for the tests of both."""

from powerloop.kernel.ids import CallId, SendId, SessionId
from powerloop.kernel.limits import TreeLimits
from powerloop.kernel.messages import TextBlock
from powerloop.kernel.sends import Lineage
from powerloop.kernel.sessions import Lifecycle, NewSession, Origin
from powerloop.kernel.suspension import NewChild, Suspension

LIMITS = TreeLimits(depth=4, breadth=10, total=50)


def child(claim, call_id, *, awaited=True, lifecycle=Lifecycle.LINKED, **fields):
    """The sub-agent that a call of the claim's send asks for: its ids are made of the names of both."""
    parent, name = claim.send, f"{claim.send.id}.{call_id}"
    return NewChild(
        **{
            "call_id": CallId(call_id),
            "session": NewSession(
                id=SessionId(f"s.{name}"),
                agent="helper",
                metadata={"customer": "42"},
                origin=Origin(parent_id=parent.session_id, lifecycle=lifecycle, spec={"model": "small"}),
            ),
            "send_id": SendId(name),
            "content": (TextBlock(text=f"do {call_id}"),),
            "metadata": {"job": 7},
            "priority": 3,
            "lineage": Lineage(
                session_id=parent.session_id,
                send_id=parent.id,
                call_id=CallId(call_id),
                root_id=parent.root_id,
                depth=parent.depth + 1,
                awaited=awaited,
                limits=LIMITS,
            ),
            **fields,
        }
    )


def of_children(*children, most=50):
    return Suspension(children=children, max_descendants=most)


async def parent_of(desk, *call_ids, most=50, claim=None, **options):
    """The claim of a send each of whose calls has started a sub-agent, and the sends of those."""
    claim = claim or await desk.running()
    await desk.asked(claim, *call_ids)
    children = [child(claim, call_id, **options) for call_id in call_ids]
    suspended = await desk.store.journal.suspend(claim.fence, of_children(*children, most=most))
    return claim, suspended.started


async def ended(desk, send, text="found it", worker="worker-2"):
    """What the end of a sub-agent brought about, whose model said `text`."""
    claim = await desk.claimed(send, worker)
    return await desk.store.journal.finish(claim.fence, desk.completed(text), claim.send.lineage)


async def calls_of(desk, claim):
    """The statuses and results of the send's calls."""
    return [(call.status, call.result) for call in await desk.store.journal.load_calls(claim.send.id)]
