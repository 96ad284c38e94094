"""How a run of a workflow looks: a line of its own, and its nodes as a tree. Without I/O."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from powerloop.cli.node_words import FAN_OUTS, money, node_label, span, tokens
from powerloop.cli.run_look import RunLook
from powerloop.client.run_tree import RunNode
from powerloop.kernel.workflows import Node, NodeStatus, RunStatus

#: A fan-out with more in it is collapsed in a brief view.
MANY: Final = 10
#: So many of it that are open, and so many that failed, are shown then.
_SHOWN: Final = 8

_REPEATED: Final = (*FAN_OUTS, "loop")

_RUN_STYLES: Final = {
    RunStatus.OPEN: "cyan",
    RunStatus.DONE: "green",
    RunStatus.FAILED: "red",
    RunStatus.CANCELLED: "yellow",
}


def run_view(look: RunLook, *, brief: bool) -> RenderableType:
    """The run: a line of its own, and the tree of its nodes.

    Args:
        look: What is known of it.
        brief: Whether large fan-outs are collapsed, and each node has one line, which is cut if it must be;
            otherwise it is told which worker ran each leaf.
    """
    if look.root is None:
        return Group(run_line(look), _nothing_yet(look))
    return Group(run_line(look), _tree(look.root, look.at, brief=brief))


def run_line(look: RunLook) -> Text:
    """What is to be known of the run as a whole."""
    name = look.run.name if look.run else "run"
    words = [Text(name, style="bold"), Text(look.id), Text(look.status, style=_RUN_STYLES[look.status])]
    if look.is_paused:
        words.append(Text("paused", style="yellow"))
    if look.run:
        words.append(Text(span((look.run.ended_at or look.at) - look.run.created_at)))
    if look.total.calls:
        words.append(Text(tokens(look.total.usage.total_tokens)))
        unpriced = f", {look.total.unpriced_calls:,} calls unpriced" if look.total.unpriced_calls else ""
        words.append(Text(f"{money(look.total.cost)}{unpriced}"))
    return Text("  ").join(words)


def _tree(item: RunNode, now: datetime, *, brief: bool) -> Tree:
    tree = Tree(node_label(item, now, brief=brief), guide_style="dim")
    children = _apart(item) if brief else item.children
    for child in children:
        tree.children.append(_tree(child, now, brief=brief))
    if len(children) < len(item.children):
        shown = {child.node.id for child in children}
        tree.add(_rest(child.node for child in item.children if child.node.id not in shown))
    return tree


def _apart(item: RunNode) -> Sequence[RunNode]:
    """Those in a node that a brief view shows."""
    children = item.children
    if item.node.type not in _REPEATED or len(children) <= MANY:
        return children
    still = [child for child in children if not child.node.status.is_final][:_SHOWN]
    failed = [child for child in children if child.node.status is NodeStatus.FAILED][:_SHOWN]
    return sorted([*still, *failed], key=lambda child: child.node.index)


def _rest(nodes: Iterable[Node]) -> Text:
    counts = Counter(node.status for node in nodes)
    told = ", ".join(f"{counts[status]:,} {status}" for status in NodeStatus if counts[status])
    return Text(f"… and {told}", style="dim")


def _nothing_yet(look: RunLook) -> Text:
    if look.result:
        return Text("It ended before any of its nodes began.", style="dim")
    if look.run:
        return Text("Its nodes are about to begin.", style="dim")
    return Text(f"No worker has begun it yet. Why: powerloop sends explain {look.id}", style="dim")
