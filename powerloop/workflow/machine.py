"""The machine: a run of a workflow in memory, moved on by the ends of its leaves. Without I/O.

It knows what may run now, what has ended and with what; when, where and how leaves run is not its business.
"""

from typing import Any

from powerloop.workflow.beginning import Work
from powerloop.workflow.instances import Instance, root_of
from powerloop.workflow.outcomes import Outcome
from powerloop.workflow.spec import WorkflowSpec
from powerloop.workflow.stepping import Stepping


class Machine:
    """One run, as a whole. What is to be tried again later is tried again at once.

    Args:
        spec: Valid, its subflows inline.
        input: What it is given; what the spec says where there is none.
    """

    def __init__(self, spec: WorkflowSpec, input: Any = None) -> None:  # noqa: ANN401 - any JSON
        given = spec.input if input is None else input
        self._stepping = Stepping("", patient=False)
        self._leaves: dict[str, Instance] = {}
        self._stepping.begin(root_of("", spec.root, given))
        self._note()

    @property
    def root(self) -> Instance:
        """The last attempt at the root."""
        assert self._stepping.root is not None
        return self._stepping.root

    @property
    def outcome(self) -> Outcome | None:
        """How the run has ended; `None`: it has not."""
        return self.root.outcome

    @property
    def ready(self) -> dict[str, Work]:
        """What leaves are to do that have begun and not ended, by their paths."""
        return {path: leaf.work for path, leaf in self._leaves.items() if leaf.work is not None}

    def name_of(self, path: str) -> str:
        """The id of a leaf that has begun, or what it is."""
        node = self._leaves[path].node
        return node.id or node.type

    def leaf_ended(self, path: str, outcome: Outcome) -> None:
        """Move on from the end of a leaf. One that is not awaited any more changes nothing."""
        leaf = self._leaves.get(path)
        if leaf is not None:
            self._stepping.ended(leaf, outcome)
            self._note()

    def end(self, path: str, outcome: Outcome) -> None:
        """End a node that has begun, with all below it: its time is over, or a person has said so."""
        instance = next((one for one in self.root.walk() if one.path == path), None)
        if instance is not None:
            self._stepping.end(instance, outcome)
            self._note()

    def _note(self) -> None:
        """Keep the leaves that run now."""
        for one in self._stepping.touched.values():
            if one.work is not None and one.outcome is None:
                self._leaves[one.path] = one
            elif self._leaves.get(one.path) is one:
                del self._leaves[one.path]
        self._stepping.touched.clear()
