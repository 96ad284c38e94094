"""``powerloop workflow save`` and ``stored``: workflows by their names."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from powerloop.cli.connect import with_loop
from powerloop.cli.console import AsJson, Console
from powerloop.cli.json_given import read_text
from powerloop.workflow import WorkflowSpec

FileArgument = Annotated[Path, typer.Argument(help="A JSON file; - for standard input.")]

COLUMNS = ("name", "version", "created_at", "note")


def register(family: typer.Typer) -> None:
    """Add the verbs to the family."""
    family.command("save")(save)
    family.command("stored")(stored)


def save(
    file: FileArgument,
    name: Annotated[str | None, typer.Option("--name", help="Its own name unless given.")] = None,
    note: Annotated[str, typer.Option("--note", help="What is new, for the eyes of people.")] = "",
    as_json: AsJson = False,
) -> None:
    """Store a workflow by name, as its next version. Runs keep the version that they were started with."""
    console, text = Console.output(as_json), object_text(file)
    saved = with_loop(lambda loop: loop.save_workflow(text, name=name, note=note))
    console.say(saved.label)
    console.value(asdict(saved))


def stored(
    name: Annotated[str | None, typer.Argument(help="Every version of this one.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List stored workflows, latest saved first."""
    found = with_loop(lambda loop: loop.list_workflows(name, limit=limit))
    Console.output(as_json).rows(COLUMNS, [asdict(one) for one in found], empty="No workflow is stored.")


def source(given: str) -> str:
    """What is to be run: the text of a file, or the name of a stored workflow.

    Raises:
        InvalidInput: the file cannot be read.
        WorkflowInvalid: it is no object.
    """
    looks_like_a_file = given == "-" or given.endswith(".json") or "/" in given
    return object_text(Path(given)) if looks_like_a_file or Path(given).exists() else given


def object_text(file: Path) -> str:
    """The workflow in the file, as its text.

    Raises:
        InvalidInput: it cannot be read.
        WorkflowInvalid: it is no object.
    """
    text = read_text(file)
    if not text.lstrip().startswith("{"):
        # It is not to be taken for the name of a stored workflow: the parser refuses it, in words.
        WorkflowSpec.parse(text)
    return text
