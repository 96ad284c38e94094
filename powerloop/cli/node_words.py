"""A node of a run in words: what it is, where it is in its life, what it used, what it waits for."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from rich.text import Text

from powerloop.client.run_tree import RunNode
from powerloop.kernel.money import dollars
from powerloop.kernel.workflows import Node, NodeStatus

FAN_OUTS: Final = ("foreach", "parallel")

_BAR: Final = 20
_MESSAGE: Final = 160

_MARKS: Final = {
    NodeStatus.OPEN: ("▸", "cyan"),
    NodeStatus.RUNNING: ("●", "cyan"),
    NodeStatus.LANDED: ("●", "cyan"),
    NodeStatus.DELAYED: ("↻", "yellow"),
    NodeStatus.DONE: ("✓", "green"),
    NodeStatus.SKIPPED: ("-", "dim"),
    NodeStatus.FAILED: ("✗", "red"),
    NodeStatus.CANCELLED: ("⊘", "yellow"),
}


def node_line(item: RunNode, now: datetime) -> Text:
    """The node as a line of its own, with its path."""
    at = (item.node.ended_at or item.node.created_at or now).astimezone()
    words = [Text(f"{at:%H:%M:%S}", style="dim"), *_words(item.node)]
    if item.node.type in FAN_OUTS:
        words.append(_count(item.node))
    words += [*_used(item, now), *_outcome(item.node, now)]
    return Text("  ").join([*words, Text(item.node.path, style="dim")])


def node_label(item: RunNode, now: datetime, *, brief: bool) -> Text:
    """The node as it stands in a tree."""
    node = item.node
    words = _words(node)
    if node.type in FAN_OUTS and node.total:
        words.append(_bar(node))
    words += [*_used(item, now), *_outcome(node, now)]
    if not brief and item.cost and item.cost.worker:
        words.append(Text(item.cost.worker, style="dim"))
    # What can be retried or skipped is named by its path.
    if not brief and node.status not in (NodeStatus.DONE, NodeStatus.SKIPPED):
        words.append(Text(node.path, style="dim"))
    label = Text("  ").join(words)
    label.no_wrap = brief
    label.overflow = "ellipsis" if brief else "fold"
    return label


def span(length: timedelta) -> str:
    """A span for people: ``0.4 s``, ``12 s``, ``3 min 5 s``, ``2 h 4 min``."""
    # The clocks of two machines may differ a little.
    seconds = max(length.total_seconds(), 0.0)
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, seconds_left = divmod(int(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes_left} min"
    return f"{minutes} min {seconds_left} s" if minutes else f"{seconds_left} s"


def tokens(count: int) -> str:
    """How many there are."""
    return f"{count:,} tokens"


def money(amount: Decimal) -> str:
    """Cents, or what there is below them."""
    return f"${amount:,.2f}" if amount >= 1 or not amount else f"${amount:,.6f}"


def _words(node: Node) -> list[Text]:
    """What the node is, and where it is in its life."""
    mark, style = _MARKS[node.status]
    if node.tolerated and node.status is NodeStatus.FAILED:
        style = "yellow"
    if _asks(node):
        mark, style = "?", "yellow"
    state: str = node.status
    if node.status in (NodeStatus.RUNNING, NodeStatus.LANDED):
        # That its end is not yet taken note of is of no interest to people.
        state = "waits" if node.type in ("human", "wait") else NodeStatus.RUNNING
    words = [Text.assemble((mark, style), " ", (node.type, "bold"), " ", _name(node))]
    if node.status is not NodeStatus.DONE:
        words.append(Text(state, style=style))
    if node.attempt > 1:
        words.append(Text(f"attempt {node.attempt}", style="yellow"))
    return words


def _used(item: RunNode, now: datetime) -> list[Text]:
    """The time, the tokens and the money that it took."""
    node, words = item.node, []
    if node.created_at and node.status not in (NodeStatus.DELAYED, NodeStatus.SKIPPED):
        words.append(Text(span((node.ended_at or now) - node.created_at)))
    if item.cost and (count := item.cost.input_tokens + item.cost.output_tokens):
        words.append(Text(tokens(count)))
    if item.cost and item.cost.cost is not None:
        words.append(Text(money(dollars(item.cost.cost))))
    return words


def _outcome(node: Node, now: datetime) -> list[Text]:
    """What it waits for, or why it failed."""
    words = []
    if waits := _waits(node, now):
        words.append(Text(waits, style="yellow"))
    if node.fell_back:
        words.append(Text("fell back", style="yellow"))
    if node.code and node.status is not NodeStatus.DONE:
        message = " ".join(node.message.split())
        cut = message if len(message) <= _MESSAGE else f"{message[:_MESSAGE]}…"
        style = "red" if node.status is NodeStatus.FAILED and not node.tolerated else "yellow"
        words.append(Text(f"{node.code}: {cut}" if cut else node.code, style=style))
    return words


def _waits(node: Node, now: datetime) -> str:
    if _asks(node):
        return f"powerloop inbox list --send {node.send_id}"
    if node.status is NodeStatus.DELAYED and node.wakes_at:
        return f"again in {span(node.wakes_at - now)}"
    if node.status is NodeStatus.RUNNING and node.signal:
        return f"for the signal {node.signal}"
    if node.status is NodeStatus.RUNNING and node.type == "wait" and node.wakes_at:
        return f"{span(node.wakes_at - now)} to go"
    return ""


def _asks(node: Node) -> bool:
    """Whether a person is asked, or soon will be."""
    return node.type == "human" and node.status is NodeStatus.RUNNING


def _name(node: Node) -> str:
    """What tells it from those beside it: its id, or its place."""
    place = node.path.rpartition(".")[2]
    if node.name is None:
        return place
    _, hash_, number = place.partition("#")
    return f"{node.name} #{number}" if hash_ else node.name


def _bar(node: Node) -> Text:
    filled = _BAR * min(node.ended, node.total) // node.total
    failed = min(-(-_BAR * node.bad // node.total), filled)
    done, rest = "━" * (filled - failed), "─" * (_BAR - filled)
    return Text.assemble((done, "green"), ("━" * failed, "red"), (rest, "dim"), " ", _count(node))


def _count(node: Node) -> Text:
    count = Text(f"{node.ended:,}/{node.total:,}")
    return count.append(f", {node.bad:,} failed", style="red") if node.bad else count
