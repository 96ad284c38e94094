"""Dry runs: a workflow walked from end to end with stub answers, so that its author sees what would run."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from powerloop.workflow.beginning import AgentWork, HumanWork, SubflowWork, ToolWork, WaitWork, Work
from powerloop.workflow.checks import MAX_LEAVES
from powerloop.workflow.instances import Instance
from powerloop.workflow.machine import Machine
from powerloop.workflow.outcomes import Outcome
from powerloop.workflow.policies import InlineAgent
from powerloop.workflow.spec import WorkflowSpec
from powerloop.workflow.stubs import stub_for

_PREVIEW: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A node that a dry run came to."""

    path: str
    #: How far below the root it is.
    depth: int
    type: str
    id: str | None
    #: What a leaf would do, on one line; empty for a node that has others in it.
    does: str
    #: How it ended; `None`: the run was cut off before.
    outcome: Outcome | None

    def __str__(self) -> str:
        """What it is, how it ended and what it would do, on one line."""
        ended = self.outcome.status.value if self.outcome else "not ended"
        why = f" ({self.outcome.code}: {self.outcome.message})" if self.outcome and self.outcome.code else ""
        name, does = (f" {self.id}" if self.id else ""), (f"  {self.does}" if self.does else "")
        return f"{'  ' * self.depth}{self.type}{name}: {ended}{why}{does}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What a dry run came to."""

    steps: tuple[Step, ...]
    #: How many leaves ran.
    leaves: int
    #: How the run ended; `None`: it was cut off, for it had come to too many leaves.
    outcome: Outcome | None


def dry_run(spec: WorkflowSpec, input: Any = None) -> DryRun:  # noqa: ANN401 - any JSON
    """Walk the workflow. Stored workflows that it names are taken for one leaf each.

    Args:
        spec: The workflow.
        input: What it is given; what the spec says where there is none.
    """
    machine = Machine(spec, input)
    does: dict[str, str] = {}
    leaves = 0
    while machine.outcome is None and machine.ready and leaves < MAX_LEAVES:
        # One at a time: its end may cancel others.
        path, work = next(iter(machine.ready.items()))
        does[path] = _told(work)
        leaves += 1
        machine.leaf_ended(path, stub_for(work, machine.name_of(path)))
    return DryRun(steps=tuple(_steps(machine.root, does, 0)), leaves=leaves, outcome=machine.outcome)


def _steps(instance: Instance, does: dict[str, str], depth: int) -> Iterator[Step]:
    yield Step(
        path=instance.path,
        depth=depth,
        type=instance.node.type,
        id=instance.node.id,
        does=does.get(instance.path, ""),
        outcome=instance.outcome,
    )
    for index in sorted(instance.children):
        yield from _steps(instance.children[index], does, depth + 1)


def _told(work: Work) -> str:
    match work:
        case AgentWork(agent=agent, input=text):
            name = agent.base if isinstance(agent, InlineAgent) else agent
            told = f"{name} ← {text}"
        case ToolWork(tool=tool, arguments=arguments):
            told = f"{tool}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"
        case HumanWork(prompt=prompt):
            told = f"ask: {prompt}"
        case SubflowWork(name=workflow, version=version):
            told = f"the workflow {workflow}{f', version {version}' if version else ''}"
        case WaitWork(seconds=seconds, until=until, signal=signal):
            told = f"wait for {f'{seconds:g} s' if seconds else until or f'the signal {signal}'}"
    line = " ".join(told.split())
    return line if len(line) <= _PREVIEW else f"{line[: _PREVIEW - 1]}…"
