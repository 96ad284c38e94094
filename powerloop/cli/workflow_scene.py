"""The workflow that ``powerloop demo`` runs: a planner, researchers side by side, a writer; who ran which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from powerloop.cli.console import Console as Output
from powerloop.cli.node_words import span
from powerloop.cli.run_following import RunFollower, value_text
from powerloop.cli.run_look import RunLook
from powerloop.cli.scenes import Played, pid_of, say_question
from powerloop.client.loop import AsyncPowerLoop
from powerloop.client.run_tree import RunNode
from powerloop.kernel.errors import DemoFailed
from powerloop.kernel.ids import SendId

SUBJECT: Final = "tea"

#: The same as ``examples/research.json``.
RESEARCH: Final[Mapping[str, Any]] = {
    "name": "research",
    "input": "tea",
    "root": {
        "type": "sequence",
        "steps": [
            {
                "type": "agent",
                "id": "plan",
                "agent": "planner",
                "input": "Plan research on {{input}}.",
                "output_schema": {
                    "type": "object",
                    "required": ["topics"],
                    "properties": {
                        "topics": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 8}
                    },
                },
            },
            {
                "type": "foreach",
                "id": "findings",
                "items_from": "plan.topics",
                "as": "topic",
                "max_concurrency": 4,
                "body": {
                    "type": "agent",
                    "id": "finding",
                    "agent": "researcher",
                    "input": "Research {{topic}}.",
                    "retry": {"attempts": 2},
                },
            },
            {
                "type": "agent",
                "id": "report",
                "agent": "writer",
                "input": "Write a report on {{input}} from: {{findings}}",
            },
        ],
    },
}

#: How often the workflow is run before we give up on both workers taking part.
_PATIENCE: Final = 5
_PREVIEW: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A leaf that was run, as it is shown."""

    #: What it was to do.
    says: str
    send_id: SendId
    #: The process that ran it last.
    pid: str
    took: timedelta


async def workflow(loop: AsyncPowerLoop, console: Console) -> list[Played]:
    """A workflow, whose leaves the workers run between them."""
    played: list[Played] = []
    for _ in range(_PATIENCE):
        say_question(console, f"Research {SUBJECT}.")
        look = await _followed(loop, console)
        leaves = leaves_of(look)
        console.print(Text(f"  {_report(look)}", style="green"))
        console.print(Padding(who_ran_which(leaves), (0, 0, 0, 4)))
        played += [Played("workflow", (await loop.get_send(leaf.send_id)).send) for leaf in leaves]
        if len({leaf.pid for leaf in leaves}) > 1:
            return played
    raise DemoFailed(f"the leaves of {_PATIENCE} workflows were all run by the same worker.")


def leaves_of(look: RunLook) -> list[Leaf]:
    """The leaves of the run, in the order of the workflow.

    Raises:
        DemoFailed: the run did not come to a value, not every topic was researched, or nobody knows by whom.
    """
    if look.result is None or not look.result.ok or look.root is None:
        error = look.result.error if look.result else None
        raise DemoFailed(f"the workflow did not complete: {error.message if error else look.status}")
    leaves = [item for _, item in look.root.walk() if item.node.send_id]
    topics = next(item.node.value["topics"] for item in leaves if item.node.name == "plan")
    findings = [item for item in leaves if item.node.name == "finding"]
    if [item.node.index for item in findings] != list(range(len(topics))):
        raise DemoFailed(f"{len(topics)} topics were planned, and {len(findings)} researched.")
    return [_leaf(item, topics) for item in leaves]


def who_ran_which(leaves: Sequence[Leaf]) -> Table:
    """A row per leaf, with the worker that ran it, and one that counts the workers."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("leaf", "worker pid", "time"):
        table.add_column(column, justify="left" if column == "leaf" else "right")
    for leaf in leaves:
        table.add_row(Text(leaf.says), Text(leaf.pid, style="cyan"), span(leaf.took))
    workers = {leaf.pid for leaf in leaves}
    table.add_row(f"{len(leaves)} in all", f"{len(workers)} took part", style="dim")
    return table


async def _followed(loop: AsyncPowerLoop, console: Console) -> RunLook:
    """A run that is shown until it has ended: its tree on a terminal, lines elsewhere."""
    output = Output(console.file, as_json=False)
    # It may be a quiet one.
    output.rich = console
    return await RunFollower(output).follow(loop, await loop.start_workflow(RESEARCH, SUBJECT))


def _leaf(item: RunNode, topics: Sequence[str]) -> Leaf:
    node = item.node
    if not (item.cost and item.cost.worker and node.send_id and node.created_at and node.ended_at):
        raise DemoFailed(f"nobody knows which worker ran {node.path}.")
    return Leaf(
        says=topics[node.index] if node.name == "finding" else str(node.name),
        send_id=node.send_id,
        pid=pid_of(item.cost.worker),
        took=node.ended_at - node.created_at,
    )


def _report(look: RunLook) -> str:
    """What the run came to, shortened."""
    text = value_text(look.result.value if look.result else None)
    return text if len(text) <= _PREVIEW else f"{text[:_PREVIEW]}…"
