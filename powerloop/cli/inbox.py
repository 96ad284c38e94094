"""``powerloop inbox``: what people are asked, and their answers."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from powerloop.cli.connect import with_loop
from powerloop.cli.console import AsJson, Console
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.interactions import Interaction, InteractionStatus

InteractionArgument = Annotated[str, typer.Argument(help="The question's id.", metavar="ID")]
COLUMNS = ("id", "kind", "session_id", "tool", "arguments", "created_at")

inbox = typer.Typer(
    name="inbox", help="Questions that sends wait for: list, show, answer.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add the family to the tree."""
    app.add_typer(inbox)


@inbox.command("list")
def list_(
    session_id: Annotated[str | None, typer.Option("--session", help="Only those of this session.")] = None,
    send_id: Annotated[str | None, typer.Option("--send", help="Only those of this send.")] = None,
    status: Annotated[
        InteractionStatus, typer.Option("--status", help="Only those in this state.")
    ] = InteractionStatus.OPEN,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List questions, latest first; those that are open unless asked otherwise."""
    found = with_loop(
        lambda loop: loop.interactions(session_id=session_id, send_id=send_id, status=status, limit=limit)
    )
    rows = [_row(item) for item in found]
    Console.output(as_json).rows(COLUMNS, rows, empty="Nobody is asked anything.")


@inbox.command("show")
def show(interaction_id: InteractionArgument, as_json: AsJson = False) -> None:
    """Show a question: what is asked, about which call, and what was answered."""
    found = with_loop(lambda loop: loop.get_interaction(interaction_id))
    Console.output(as_json).record(_row(found))


@inbox.command("answer")
def answer(
    interaction_id: InteractionArgument,
    done: Annotated[
        str | None, typer.Option("--done", metavar="TEXT", help="It took effect; TEXT is its result.")
    ] = None,
    run: Annotated[bool, typer.Option("--run", help="It did not take effect: run it.")] = False,
    give_up: Annotated[
        bool, typer.Option("--give-up", help="Leave it: the model is told that nobody knows.")
    ] = False,
    actor: Annotated[str, typer.Option("--actor", help="Who answers, for the eyes of people.")] = "",
    as_json: AsJson = False,
) -> None:
    """Say what became of a call whose process died. Its send goes on. The first answer wins."""
    said = _answer(done, run=run, give_up=give_up)
    answered = with_loop(lambda loop: loop.answer(interaction_id, said, actor=actor))
    console = Console.output(as_json)
    console.say(f"{answered.id} is {answered.status}; send {answered.send_id} goes on.")
    console.value(_row(answered))


def _answer(done: str | None, *, run: bool, give_up: bool) -> Mapping[str, Any]:
    answers: list[Mapping[str, Any]] = []
    if done is not None:
        answers.append({"action": "done", "result": done})
    if run:
        answers.append({"action": "run"})
    if give_up:
        answers.append({"action": "give_up"})
    if len(answers) != 1:
        raise InvalidInput("an answer is one of --done TEXT, --run and --give-up.")
    return answers[0]


def _row(item: Interaction) -> dict[str, object]:
    return {
        "id": item.id,
        "kind": item.kind.value,
        "status": item.status.value,
        "session_id": item.session_id,
        "send_id": item.send_id,
        "call_id": item.call_id,
        "tool": item.tool,
        "arguments": item.arguments,
        "prompt": item.prompt,
        "answer": item.answer,
        "actor": item.actor,
        "created_at": item.created_at,
        "closed_at": item.closed_at,
    }
