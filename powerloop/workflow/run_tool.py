"""The tool by which our own agent runs a workflow: its call waits for the run."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from powerloop.kernel.calls import Effect
from powerloop.kernel.ids import RunId, SessionId
from powerloop.kernel.tools import ToolContext, ToolSpec
from powerloop.kernel.waits import RunWorkflow
from powerloop.kernel.workflows import Resume
from powerloop.workflow.leaves import call_text
from powerloop.workflow.spec import WorkflowSpec

NAME: Final = "run_workflow"

_SPEC: Final = ToolSpec(
    name=NAME,
    description="Run a workflow, or go on with a run that has ended.",
    parameters={
        "type": "object",
        "properties": {
            "workflow": {"type": "object"},
            "input": {},
            "owner": {"type": "string"},
            "run_id": {"type": "string"},
            "path": {"type": "string"},
            "skip": {"type": "boolean"},
            "value": {},
        },
        "additionalProperties": False,
    },
    # Whatever a run does is done by its leaves, which say so themselves.
    effect=Effect.READ,
)


class RunTool:
    """`run_workflow`, which no model is shown."""

    @property
    def spec(self) -> ToolSpec:
        """What it is."""
        return _SPEC

    async def call(self, context: ToolContext[Any], arguments: Mapping[str, Any]) -> RunWorkflow:
        """Wait for the run.

        Raises:
            WorkflowInvalid: the workflow is not valid.
        """
        del context
        if "run_id" in arguments:
            resume = Resume(
                path=arguments.get("path"),
                skip=bool(arguments.get("skip", False)),
                value=arguments.get("value"),
            )
            return RunWorkflow(spec=None, run_id=RunId(arguments["run_id"]), resume=resume)
        # Not on the event loop, which others run on: the largest workflow takes most of a second.
        spec = await asyncio.to_thread(WorkflowSpec.parse, arguments["workflow"])
        owner = arguments.get("owner")
        return RunWorkflow(
            spec=spec.to_json(),
            input=arguments.get("input"),
            owner_id=None if owner is None else SessionId(owner),
        )


def start_text(spec: WorkflowSpec, input: Any, owner: str | None = None) -> str:  # noqa: ANN401 - any JSON
    """The input of the send that starts a run, of whose end the session `owner` is told."""
    given = {} if input is None else {"input": input}
    told = {} if owner is None else {"owner": owner}
    return call_text(NAME, {"workflow": spec.to_json(), **given, **told})


def resume_text(run_id: RunId, resume: Resume) -> str:
    """The input of the send that goes on with a run."""
    told = {"path": resume.path} if resume.path else {}
    skipped = {"skip": True, "value": resume.value} if resume.skip else {}
    return call_text(NAME, {"run_id": run_id, **told, **skipped})
