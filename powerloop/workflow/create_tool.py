"""The tools by which a model runs workflows that it writes, and looks at them."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from powerloop.kernel.agents import Agent
from powerloop.kernel.calls import Effect
from powerloop.kernel.errors import ToolError, WorkflowInvalid
from powerloop.kernel.messages import TextBlock
from powerloop.kernel.sessions import Lifecycle
from powerloop.kernel.tools import Tool, ToolContext, ToolSpec
from powerloop.kernel.waits import Spawn, SpawnMode
from powerloop.kernel.workflows import RUNNER
from powerloop.workflow.checks import KnownAgents, tools_of
from powerloop.workflow.guide import AUTHORING_GUIDE
from powerloop.workflow.run_tool import start_text
from powerloop.workflow.spec import WorkflowSpec

_CREATE: Final = (
    "Run a workflow that you write: it fans out over many agents, and survives whatever dies. The result of "
    "the call is what its root comes to. One that is not valid is not run: all that is wrong is told.\n\n"
)
_STATUS: Final = "Look at a workflow that you started and did not wait for: how far each of its nodes is."


def create_workflow(agents: Iterable[Agent] | None = None, *, name: str = "create_workflow") -> Tool:
    """A tool by which a model runs workflows that it writes: ``tools=[create_workflow([writer, critic])]``.

    The run is a sub-agent: the caller waits for it without a slot, or goes on and is told of its end once.
    Its budget, deadline and cancel are the caller's. The authoring guide is part of the description.

    Args:
        agents: Those that workflows may name, with their tools; `None`: any name will do. They are registered
            with the agent that has the tool.
        name: What the model calls it.
    """
    return _CreateWorkflow(None if agents is None else tuple(agents), name)


def workflow_status(*, name: str = "workflow_status") -> Tool:
    """A tool by which a model looks at a workflow that it started in the mode ``detach``.

    Args:
        name: What the model calls it.
    """
    return _WorkflowStatus(name)


class _CreateWorkflow:
    def __init__(self, agents: tuple[Agent, ...] | None, name: str) -> None:
        #: As the registry of agents looks for them.
        self.agents = agents or ()
        self._known: KnownAgents | None = None if agents is None else tools_of(agents)
        told = f"The agents that there are: {json.dumps(sorted(self._known))}\n\n" if self._known else ""
        self._spec = ToolSpec(
            name=name,
            description=_CREATE + told + AUTHORING_GUIDE,
            parameters={
                "type": "object",
                "properties": {
                    "workflow": {"type": "object", "description": "An object with name and root."},
                    "input": {"description": "What it is given; any JSON."},
                    "mode": {
                        "type": "string",
                        "enum": [mode.value for mode in SpawnMode],
                        "description": "wait (default): its value is the result. detach: go on, and it is "
                        "sent to you later.",
                    },
                },
                "required": ["workflow"],
                "additionalProperties": False,
            },
            # Whatever a run does is done by its leaves, which say so themselves.
            effect=Effect.READ,
        )

    @property
    def spec(self) -> ToolSpec:
        """What it is."""
        return self._spec

    async def call(self, context: ToolContext[Any], arguments: Mapping[str, Any]) -> Spawn:
        """Start the run.

        Raises:
            ToolError: the workflow has problems.
        """
        del context
        # Not on the event loop, which others run on: the largest workflow takes most of a second.
        text = await asyncio.to_thread(self._text, arguments["workflow"], arguments.get("input"))
        mode = SpawnMode(arguments.get("mode", SpawnMode.WAIT))
        content = (TextBlock(text=text),)
        return Spawn(agent=RUNNER, content=content, mode=mode, lifecycle=Lifecycle.LINKED)

    def _text(self, workflow: Mapping[str, Any], given: Any) -> str:  # noqa: ANN401 - any JSON
        try:
            return start_text(WorkflowSpec.parse(workflow, agents=self._known), given)
        except WorkflowInvalid as invalid:
            raise ToolError(str(invalid), hint="Mend all of them, and call again.") from None


class _WorkflowStatus:
    def __init__(self, name: str) -> None:
        self._spec = ToolSpec(
            name=name,
            description=_STATUS,
            parameters={
                "type": "object",
                "properties": {
                    "run": {"type": "string", "description": "The session that it was started as."}
                },
                "required": ["run"],
                "additionalProperties": False,
            },
            effect=Effect.READ,
        )

    @property
    def spec(self) -> ToolSpec:
        """What it is."""
        return self._spec

    async def call(self, context: ToolContext[Any], arguments: Mapping[str, Any]) -> str:
        """Tell how far the run is.

        Raises:
            ToolError: this agent has started no such run.
        """
        reader = context.runs
        told = await reader.told(context.session_id, arguments["run"]) if reader else None
        if told is None:
            raise ToolError(f"you have started no workflow {arguments['run']!r}.")
        return told
