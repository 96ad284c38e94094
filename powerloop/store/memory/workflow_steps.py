"""A step of a run, in memory: what has happened, what a decision needs, and what it writes."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, assert_never

from powerloop.kernel.ids import NodeId, RunId, SendId
from powerloop.kernel.planning import (
    ItemNeed,
    Landed,
    Loaded,
    NamedNeed,
    Need,
    NodeEvent,
    NodeWrite,
    PassedOver,
    Plan,
    Planner,
    Signalled,
    Snapshot,
    SpecNeed,
    TimedOut,
    TreeNeed,
    ValuesNeed,
    Woken,
)
from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import NewSend, Send
from powerloop.kernel.suspension import NewChild
from powerloop.kernel.workflows import Node, NodeStatus
from powerloop.store.encoding import cleaned
from powerloop.store.inputs import checked_send, checked_session
from powerloop.store.memory.acceptance import accept_in
from powerloop.store.memory.sessions import add_session
from powerloop.store.memory.state import State

_UNDER_WAY = (NodeStatus.OPEN, NodeStatus.RUNNING, NodeStatus.DELAYED)


def happened(state: State, run_id: RunId, *, is_open: bool) -> list[NodeEvent]:
    """What has happened to nodes of the run. What was said to it, and is taken here, is taken for good."""
    own = [node for node in state.nodes.values() if node.run_id == run_id]
    landed = [state.sends[SendId(node.id)] for node in own if node.status is NodeStatus.LANDED]
    ends = sorted(landed, key=lambda send: (str(send.ended_at), send.id))
    events: list[NodeEvent] = [Landed(node_id=NodeId(send.id), send=send) for send in ends]
    now = state.clock.now()
    under_way = [node for node in own if node.status in _UNDER_WAY]
    events += [Woken(node_id=node.id) for node in under_way if node.wakes_at and node.wakes_at <= now]
    events += [
        TimedOut(node_id=node.id) for node in under_way if node.deadline_at and node.deadline_at <= now
    ]
    return events + list(_taken(state, run_id, under_way)) if is_open else events


def _taken(state: State, run_id: RunId, under_way: list[Node]) -> Iterator[NodeEvent]:
    free = [node for node in under_way if node.status is NodeStatus.RUNNING and node.signal]
    for one in [one for one in state.inbox if one[0] == run_id]:
        said = one[1]
        if said.path is not None:
            state.inbox.remove(one)
            at = (node for node in under_way if node.path == said.path and node.current)
            yield from (PassedOver(node_id=node.id, value=said.payload) for node in at)
        elif listener := next((node for node in free if node.signal == said.signal), None):
            state.inbox.remove(one)
            free.remove(listener)
            yield Signalled(node_id=listener.id, payload=said.payload)


def up(state: State, node_ids: Collection[NodeId]) -> Mapping[NodeId, Node]:
    """The nodes and all that they are in."""
    found: dict[NodeId, Node] = {}
    for node_id in node_ids:
        one: NodeId | None = node_id
        while one is not None and one not in found:
            found[one] = state.nodes[one]
            one = found[one].parent_id
    return found


def decided(state: State, planner: Planner, snapshot: Snapshot) -> Plan:
    """What follows."""
    loaded = Loaded()
    while True:
        decision = planner.plan(snapshot, loaded)
        if isinstance(decision, Plan):
            return decision
        _load(state, snapshot.run_id, decision, loaded)


def _load(state: State, run_id: RunId, need: Need, loaded: Loaded) -> None:
    match need:
        case SpecNeed():
            loaded.spec, loaded.input = state.specs[run_id]
        case NamedNeed(frames=frames, name=name):
            named = {
                node.frame_id: node
                for node in state.nodes.values()
                if node.name == name and node.frame_id in frames and node.current and _has_value(node)
            }
            nearest = next((named[frame] for frame in frames if frame in named), None)
            if nearest is None:
                loaded.nameless.add((frames[0], name))
            else:
                loaded.named[frames[0], name] = _value(state, nearest)
        case ItemNeed(node_id=node_id, index=index):
            loaded.items[node_id, index] = state.items[node_id, index]
        case ValuesNeed(node_id=node_id):
            below = (node for node in state.nodes.values() if node.parent_id == node_id and node.current)
            loaded.values[node_id] = {
                node.index: _value(state, node) for node in below if node.index >= 0 and _has_value(node)
            }
        case TreeNeed():
            nodes = state.nodes.values()
            loaded.tree = [node for node in nodes if node.run_id == run_id and node.current]
        case unreachable:
            assert_never(unreachable)


def write(state: State, plan: Plan, landed: Collection[str]) -> tuple[list[Send], list[SendId]]:
    """Write the nodes, and start the leaves; their sends, and those that nobody waits for any more."""
    unwanted = list(_cut_off(state, (*plan.cut_off, *plan.superseded)))
    for node in [state.nodes[node_id] for node_id in _below(state, plan.superseded)]:
        state.nodes[node.id] = replace(node, current=False)
    for one in plan.writes:
        node = state.nodes[one.node.id] = _timed(state, one)
        ended = node.status.is_final or node.fell_back
        if node.send_id and ended and not one.is_new:
            unwanted.append(node.send_id)
    for node_id, items in plan.items.items():
        state.items.update(((node_id, place), cleaned(item)) for place, item in enumerate(items))
    # The sends of those that have landed have ended.
    left = [send_id for send_id in dict.fromkeys(unwanted) if send_id not in landed]
    return [_start(state, leaf) for leaf in plan.leaves], left


def _cut_off(state: State, node_ids: Collection[NodeId]) -> Iterator[SendId]:
    for node in [state.nodes[node_id] for node_id in _below(state, node_ids)]:
        if not node.status.is_final:
            ended = replace(node, status=NodeStatus.CANCELLED, ended_at=state.clock.now())
            state.nodes[node.id] = ended
            if node.send_id:
                yield node.send_id


def _below(state: State, node_ids: Collection[NodeId]) -> set[NodeId]:
    """The ids of all below these."""
    below: set[NodeId] = set()
    level = set(node_ids)
    while level:
        level = {node.id for node in state.nodes.values() if node.parent_id in level}
        below |= level
    return below


def _timed(state: State, one: NodeWrite) -> Node:
    now, node = state.clock.now(), one.node
    before = state.nodes.get(node.id)
    return replace(
        node,
        value=cleaned(node.value),
        wakes_at=node.wakes_at if one.wakes_in is None else now + one.wakes_in,
        deadline_at=node.deadline_at if one.times_out_in is None else now + one.times_out_in,
        created_at=before.created_at if before else now,
        ended_at=now if node.status.is_final else None,
    )


def _start(state: State, leaf: NewChild) -> Send:
    session = add_session(state, checked_session(leaf.session))
    new = NewSend(
        id=leaf.send_id,
        session_id=session.id,
        content=leaf.content,
        policy=Policy.ENQUEUE,
        priority=leaf.priority,
        metadata=leaf.metadata,
    )
    return accept_in(state, session, checked_send(new), leaf.lineage).send


def _has_value(node: Node) -> bool:
    return node.status in (NodeStatus.DONE, NodeStatus.SKIPPED, NodeStatus.FAILED)


def _value(state: State, node: Node) -> Any:  # noqa: ANN401 - any JSON
    return state.nodes[node.value_id].value if node.value_id else node.value
