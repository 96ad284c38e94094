"""``powerloop inbox``: what people are asked, and their answers."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

import typer

from powerloop.cli.connect import with_loop
from powerloop.cli.console import AsJson, Console
from powerloop.client.answers import read_answer
from powerloop.client.loop import AsyncPowerLoop
from powerloop.kernel.clock import SystemClock
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.interactions import Interaction, InteractionKind, InteractionStatus

InteractionArgument = Annotated[str, typer.Argument(help="The question's id.", metavar="ID")]
COLUMNS = ("id", "kind", "tool", "prompt", "choices", "expires_at", "age")

#: The kind of question that an option answers.
_KINDS = {
    "--approve": InteractionKind.APPROVAL,
    "--edit": InteractionKind.APPROVAL,
    "--deny": InteractionKind.APPROVAL,
    "--done": InteractionKind.IN_DOUBT,
    "--run": InteractionKind.IN_DOUBT,
    "--give-up": InteractionKind.IN_DOUBT,
}

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
    kind: Annotated[InteractionKind | None, typer.Option("--kind", help="Only those that ask this.")] = None,
    status: Annotated[
        InteractionStatus, typer.Option("--status", help="Only those in this state.")
    ] = InteractionStatus.OPEN,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List questions, latest first; those that are open unless asked otherwise."""
    found = with_loop(
        lambda loop: loop.interactions(
            session_id=session_id, send_id=send_id, kind=kind, status=status, limit=limit
        )
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
    value: Annotated[
        str | None, typer.Option("--value", metavar="JSON-OR-TEXT", help="The answer, whatever is asked.")
    ] = None,
    approve: Annotated[bool, typer.Option("--approve", help="The call may run.")] = False,
    edit: Annotated[
        str | None, typer.Option("--edit", metavar="JSON", help="It may run with these arguments instead.")
    ] = None,
    deny: Annotated[bool, typer.Option("--deny", help="It may not run.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why it may not; the model is told.")] = "",
    done: Annotated[
        str | None,
        typer.Option("--done", metavar="TEXT", help="The call in doubt took effect; TEXT is its result."),
    ] = None,
    run: Annotated[bool, typer.Option("--run", help="It did not take effect: run it.")] = False,
    give_up: Annotated[
        bool, typer.Option("--give-up", help="Leave it: the model is told that nobody knows.")
    ] = False,
    actor: Annotated[str, typer.Option("--actor", help="Who answers, for the eyes of people.")] = "",
    as_json: AsJson = False,
) -> None:
    """Answer a question. Its send goes on. The first answer wins.

    What is asked for is answered with --value; whether a call may run, with --approve, --edit or --deny; what
    became of a call whose process died, with --done, --run or --give-up.
    """
    if reason and not deny:
        raise InvalidInput("--reason goes with --deny.")
    given = {
        "--value": value,
        "--approve": {"action": "approve"} if approve else None,
        "--edit": None if edit is None else {"action": "edit", "arguments": _json("--edit", edit)},
        "--deny": {"action": "deny", "reason": reason} if deny else None,
        "--done": None if done is None else {"action": "done", "result": done},
        "--run": {"action": "run"} if run else None,
        "--give-up": {"action": "give_up"} if give_up else None,
    }
    option, said = _only(given)

    async def say(loop: AsyncPowerLoop) -> Interaction:
        asked = await loop.get_interaction(interaction_id)
        return await loop.answer(asked.id, _answer(asked, option, said), actor=actor)

    answered = with_loop(say)
    console = Console.output(as_json)
    console.say(f"{answered.id} is answered; send {answered.send_id} goes on when it waits for nothing else.")
    console.value(_row(answered))


def _only(given: Mapping[str, Any]) -> tuple[str, Any]:
    """The one option that was given.

    Raises:
        InvalidInput: there are none, or several.
    """
    answers = [(option, said) for option, said in given.items() if said is not None]
    if len(answers) != 1:
        raise InvalidInput(f"an answer is one of {', '.join(given)}; {len(answers)} were given.")
    return answers[0]


def _answer(asked: Interaction, option: str, said: Any) -> Any:  # noqa: ANN401 - JSON
    """What the option says of the question.

    Raises:
        InvalidInput: it says nothing about questions of this kind.
    """
    if option == "--value":
        return read_answer(asked, said)
    if _KINDS[option] is not asked.kind:
        fitting = [name for name, kind in _KINDS.items() if kind is asked.kind] or ["--value"]
        raise InvalidInput(
            f"{option} does not answer a question of the kind {asked.kind.value}.",
            hint=f"Answer it with {' or '.join(fitting)}.",
        )
    return said


def _json(option: str, text: str) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"{option}: {text!r:.200} is not JSON: {error}.") from error


def _row(item: Interaction) -> dict[str, object]:
    waited = (item.closed_at or SystemClock().now()) - item.created_at
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
        "schema": item.schema,
        "choices": item.choices,
        "default": item.default,
        "expires_at": item.expires_at,
        "answer": item.answer,
        "actor": item.actor,
        "created_at": item.created_at,
        "closed_at": item.closed_at,
        # How long it has waited, or did wait; the clocks of two machines may differ a little.
        "age": max(timedelta(seconds=int(waited.total_seconds())), timedelta(0)),
    }
