"""The tool by which a model checks a workflow that it writes."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final

from powerloop.kernel.agents import Agent
from powerloop.kernel.calls import Effect
from powerloop.kernel.errors import ToolError, WorkflowInvalid
from powerloop.kernel.tools import Tool, ToolContext, ToolSpec
from powerloop.workflow.checks import KnownAgents, tools_of
from powerloop.workflow.dry_run import DryRun, dry_run
from powerloop.workflow.guide import AUTHORING_GUIDE
from powerloop.workflow.spec import WorkflowSpec

_DESCRIPTION: Final = (
    "Check a workflow that you write: it tells every problem at once, each with its place, or, if there is "
    "none, what would run. Nothing is run. Mend all that it tells, and check again.\n\n"
)

_PARAMETERS: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "workflow": {"type": "object", "description": "The workflow: an object with name and root."},
        "input": {"description": "What a run would be given; any JSON. Leave it out for the workflow's own."},
    },
    "required": ["workflow"],
    "additionalProperties": False,
}

#: Steps that a model is shown.
_SHOWN: Final = 60


def check_workflow(agents: Iterable[Agent] | None = None, *, name: str = "check_workflow") -> Tool:
    """A tool by which a model checks workflows that it writes: ``tools=[check_workflow([writer, critic])]``.

    A workflow with problems is a failed call, whose text is all of them; of a valid one the model is shown
    what would run, with stub answers. The authoring guide is part of the description.

    Args:
        agents: Those that workflows may name, with their tools; `None`: any name will do.
        name: What the model calls it.
    """
    return _CheckWorkflow(None if agents is None else tools_of(agents), name)


class _CheckWorkflow:
    def __init__(self, known: KnownAgents | None, name: str) -> None:
        self._known = known
        self._spec = ToolSpec(
            name=name,
            description=_DESCRIPTION + _told_agents(known) + AUTHORING_GUIDE,
            parameters=_PARAMETERS,
            effect=Effect.READ,
        )

    @property
    def spec(self) -> ToolSpec:
        """What it is."""
        return self._spec

    async def call(self, context: ToolContext[Any], arguments: Mapping[str, Any]) -> str:  # noqa: ARG002 - a `Tool`
        """Check the workflow.

        Raises:
            ToolError: it has problems.
        """
        # Not on the event loop, which others run on: the largest workflow takes most of a second.
        return await asyncio.to_thread(self._check, arguments["workflow"], arguments.get("input"))

    def _check(self, workflow: Mapping[str, Any], given: Any) -> str:  # noqa: ANN401 - any JSON
        try:
            spec = WorkflowSpec.parse(workflow, agents=self._known)
        except WorkflowInvalid as invalid:
            raise ToolError(str(invalid), hint="Mend all of them, and check again.") from None
        return _told(spec, dry_run(spec, given))


def _told_agents(known: KnownAgents | None) -> str:
    if known is None:
        return ""
    tools = {name: sorted(names or ()) for name, names in sorted(known.items())}
    return f"The agents that there are, each with its tools: {json.dumps(tools)}\n\n"


def _told(spec: WorkflowSpec, run: DryRun) -> str:
    lines = [f"The workflow {spec.name!r} is valid. With stub answers, {run.leaves} of its leaves run:"]
    lines += map(str, islice(run.steps, _SHOWN))
    if len(run.steps) > _SHOWN:
        lines.append(f"… and {len(run.steps) - _SHOWN} more")
    return "\n".join(lines)
