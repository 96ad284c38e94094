"""The past of a run: instances made of what the journal has of them, and what else it is asked for."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from powerloop.kernel.ids import NodeId, RunId
from powerloop.kernel.planning import ItemNeed, Loaded, NamedNeed, Need, ValuesNeed
from powerloop.kernel.workflows import Node as Row
from powerloop.kernel.workflows import NodeStatus
from powerloop.workflow.beginning import Opened
from powerloop.workflow.instances import Instance, child, root_of
from powerloop.workflow.joining import Tally
from powerloop.workflow.outcomes import Ended, Outcome
from powerloop.workflow.references import NOTHING
from powerloop.workflow.spec import WorkflowSpec


class NotLoaded(Exception):
    """Raised when a decision turns out to need what was not loaded."""

    def __init__(self, need: Need) -> None:
        super().__init__(need)
        self.need = need


class LoadedSource:
    """The `Source` over what was loaded; what was not is a `NotLoaded`."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded

    def named(self, frames: tuple[NodeId, ...], name: str) -> Any:  # noqa: ANN401 - any JSON, or NOTHING
        key = (frames[0], name)
        if key in self._loaded.nameless:
            return NOTHING
        if key not in self._loaded.named:
            raise NotLoaded(NamedNeed(frames=frames, name=name))
        return self._loaded.named[key]

    def item(self, node_id: NodeId, index: int) -> Any:  # noqa: ANN401 - any JSON
        if (node_id, index) not in self._loaded.items:
            raise NotLoaded(ItemNeed(node_id=node_id, index=index))
        return self._loaded.items[node_id, index]

    def values(self, node_id: NodeId) -> Mapping[int, Any]:
        if node_id not in self._loaded.values:
            raise NotLoaded(ValuesNeed(node_id=node_id))
        return self._loaded.values[node_id]


class Past:
    """Instances of the nodes that were loaded, each made once, with those that it is in.

    Args:
        run_id: Of the run.
        spec: What it runs.
        given: What it was given.
        rows: The nodes, and all that they are in.
        source: Where the rest is.
    """

    def __init__(
        self,
        run_id: RunId,
        spec: WorkflowSpec,
        given: Any,  # noqa: ANN401 - any JSON
        rows: Mapping[NodeId, Row],
        source: LoadedSource,
    ) -> None:
        self._run_id = run_id
        self._spec = spec
        self._given = given
        self._rows = rows
        self._source = source
        self._made: dict[NodeId, Instance] = {}

    def instance(self, node_id: NodeId) -> Instance:
        """The instance of a node that was loaded."""
        if node_id not in self._made:
            self._made[node_id] = self._make(self._rows[node_id])
        return self._made[node_id]

    def instances(self) -> list[Instance]:
        """All of them."""
        return [self.instance(node_id) for node_id in self._rows]

    def row(self, instance: Instance) -> Row | None:
        """The node as it was loaded; `None`: the instance is new."""
        return self._rows.get(instance.id)

    def _make(self, row: Row) -> Instance:
        if row.parent_id is None:
            made = root_of(self._run_id, self._spec.root, self._given, row.attempt, self._source)
        else:
            parent = self.instance(row.parent_id)
            made = child(parent, row.index, row.attempt, self._source)
            if row.current:
                parent.children[row.index] = made
        made.is_new, made.source = False, self._source
        made.superseded = not row.current
        made.fell_back = row.fell_back
        made.delay_s = float(row.status is NodeStatus.DELAYED)
        if row.opened is not None:
            made.opened = opened_of(row.opened, row.total)
            made.tally = Tally(total=row.total, begun=row.begun, ended=row.ended, done=row.done, bad=row.bad)
        if row.status.is_final:
            made.is_past = True
            made.outcome = Outcome(
                status=Ended(row.status.value),
                code=row.code,
                message=row.message,
                tolerated=row.tolerated,
            )
        return made


def opened_row(opened: Opened) -> dict[str, Any]:
    """How a node was opened, as the journal keeps it: its items stand elsewhere."""
    return {key: value for key, value in asdict(opened).items() if key not in ("items", "total")}


def opened_of(row: Mapping[str, Any], total: int) -> Opened:
    """The same, read again."""
    return Opened(total=total, items=(), window=row["window"], chosen=row["chosen"], input=row["input"])
