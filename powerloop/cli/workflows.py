"""``powerloop workflow``: check workflows, and what they may say."""

import json
from typing import Annotated

import typer

from powerloop.cli import stored_workflows, workflow_runs, workflow_steering
from powerloop.cli.console import AsJson, Console
from powerloop.cli.json_given import input_given, read_text
from powerloop.cli.stored_workflows import FileArgument
from powerloop.client.app import load_app
from powerloop.kernel.errors import WorkflowInvalid
from powerloop.workflow import AUTHORING_GUIDE, WorkflowSpec, dry_run, workflow_schema
from powerloop.workflow.checks import tools_of
from powerloop.workflow.dry_run import Step

workflow = typer.Typer(
    name="workflow", help="Workflows: check, run, follow, steer and repair.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add the family to the tree."""
    workflow_runs.register(workflow)
    workflow_steering.register(workflow)
    stored_workflows.register(workflow)
    app.add_typer(workflow)


@workflow.command("check")
def check(
    file: FileArgument,
    app: Annotated[
        str, typer.Option("--app", help="Modules that define agents; without it, any agent will do.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Tell everything that is wrong with a workflow. Exits with 1 if something is."""
    console = Console.output(as_json)
    agents = tools_of(load_app(app).agents) if app else None
    try:
        spec = WorkflowSpec.parse(read_text(file), agents=agents)
    except WorkflowInvalid as invalid:
        console.value({"valid": False, "problems": list(invalid.problems)})
        for problem in invalid.problems:
            console.say(problem, style="red")
        raise typer.Exit(1) from None
    console.value({"valid": True, "problems": []})
    console.say(f"The workflow {spec.name!r} is valid.", style="green")


@workflow.command("dry-run")
def dry(
    file: FileArgument,
    given: Annotated[
        str | None,
        typer.Option(
            "--input", "-i", metavar="JSON|@FILE|TEXT", help="What it is given; the spec's own by default."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Walk a workflow with stub answers, and show what would run. Exits with 1 if it would fail."""
    console = Console.output(as_json)
    run = dry_run(WorkflowSpec.parse(read_text(file)), input_given(given))
    console.value({"leaves": run.leaves, "outcome": run.outcome, "steps": run.steps})
    for step in run.steps:
        _say_step(console, step)
    console.say(f"Leaves that ran: {run.leaves}.")
    raise typer.Exit(0 if run.outcome and run.outcome.is_well else 1)


@workflow.command("schema")
def schema() -> None:
    """Print the JSON Schema of workflows."""
    typer.echo(json.dumps(workflow_schema(), ensure_ascii=False, indent=2))


@workflow.command("guide")
def guide() -> None:
    """Print what a model is told that is to write workflows."""
    typer.echo(AUTHORING_GUIDE)


def _say_step(console: Console, step: Step) -> None:
    ended = step.outcome.status.value if step.outcome else "not ended"
    style = {"done": "", "failed": "red", "skipped": "dim"}.get(ended, "yellow")
    console.say(str(step), style=style)
