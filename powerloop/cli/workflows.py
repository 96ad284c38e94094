"""``powerloop workflow``: check workflows, and what they may say."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from powerloop.cli.console import AsJson, Console
from powerloop.client.app import load_app
from powerloop.kernel.errors import InvalidInput, WorkflowInvalid
from powerloop.workflow import AUTHORING_GUIDE, WorkflowSpec, dry_run, workflow_schema
from powerloop.workflow.checks import tools_of
from powerloop.workflow.dry_run import Step

workflow = typer.Typer(
    name="workflow", help="Check workflows, and walk them without models.", no_args_is_help=True
)

FileArgument = Annotated[Path, typer.Argument(help="A JSON file; - for standard input.")]


def register(app: typer.Typer) -> None:
    """Add the family to the tree."""
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
        spec = WorkflowSpec.parse(_read(file), agents=agents)
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
        str, typer.Option("--input", "-i", help="JSON, or a text; the spec's own unless given.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Walk a workflow with stub answers, and show what would run. Exits with 1 if it would fail."""
    console = Console.output(as_json)
    run = dry_run(WorkflowSpec.parse(_read(file)), _json_or_text(given) if given else None)
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


def _read(file: Path) -> str:
    """The text of the file.

    Raises:
        InvalidInput: it cannot be read.
    """
    try:
        return typer.get_text_stream("stdin").read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} cannot be read: {error}.") from error


def _say_step(console: Console, step: Step) -> None:
    ended = step.outcome.status.value if step.outcome else "not ended"
    style = {"done": "", "failed": "red", "skipped": "dim"}.get(ended, "yellow")
    console.say(str(step), style=style)


def _json_or_text(given: str) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(given)
    except ValueError:
        return given
