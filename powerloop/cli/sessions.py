"""``powerloop session``: conversations."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from powerloop.cli.connect import with_loop
from powerloop.cli.console import AsJson, Console
from powerloop.client.loop import AsyncPowerLoop
from powerloop.kernel.codec import content_to_json
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.messages import (
    Block,
    ImageBlock,
    Message,
    ReasoningBlock,
    TextBlock,
    ToolCallBlock,
    ToolResultBlock,
)
from powerloop.kernel.policies import Policy
from powerloop.kernel.sessions import Session, SessionStatus

SessionArgument = Annotated[str, typer.Argument(help="The session's id.", metavar="SESSION")]
COLUMNS = ("id", "agent", "status", "pending", "messages", "updated_at")

session = typer.Typer(
    name="session", help="Conversations: begin, list, show, follow, close.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add the family to the tree."""
    app.add_typer(session)


@session.command("new")
def new(
    agent: Annotated[str, typer.Argument(help="The agent that speaks in it.", metavar="AGENT")],
    id: Annotated[str | None, typer.Option("--id", help="Its id; made for you unless given.")] = None,
    metadata: Annotated[str, typer.Option("--metadata", help="A JSON object to find it by.")] = "{}",
    policy: Annotated[
        Policy | None, typer.Option("--policy", help="That of sends which say nothing about it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Begin a conversation; prints its id."""
    fields = json_object(metadata, "--metadata")
    made = with_loop(lambda loop: loop.create_session(agent, id=id, metadata=fields, policy=policy))
    console = Console.output(as_json)
    console.say(made.id)
    console.value(row(made))


@session.command("list")
def list_(
    agent: Annotated[str | None, typer.Option("--agent", help="Only those of this agent.")] = None,
    status: Annotated[
        SessionStatus | None, typer.Option("--status", help="Only those in this state.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List sessions, latest first."""
    found = with_loop(lambda loop: loop.list_sessions(agent=agent, status=status, limit=limit))
    Console.output(as_json).rows(COLUMNS, [row(item) for item in found], empty="No sessions.")


@session.command("show")
def show(session_id: SessionArgument, as_json: AsJson = False) -> None:
    """Show a session and its messages."""
    console = Console.output(as_json)

    async def look(loop: AsyncPowerLoop) -> tuple[Session, list[Message]]:
        return await loop.get_session(session_id), list(await loop.messages(session_id))

    found, messages = with_loop(look)
    console.record(row(found) if not as_json else {**row(found), "log": [message_row(m) for m in messages]})
    for message in messages:
        say_message(console, message)


@session.command("tail")
def tail(
    session_id: SessionArgument,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many messages to begin with.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Print the latest messages of a session, then each new one, until Ctrl-C."""
    console = Console.output(as_json)

    async def follow(loop: AsyncPowerLoop) -> None:
        found = await loop.get_session(session_id)
        after = max(found.seq - lines, 0)
        async for message in loop.follow(session_id, after=after):
            console.value(message_row(message))
            say_message(console, message)

    with_loop(follow)


@session.command("close")
def close(session_id: SessionArgument, as_json: AsJson = False) -> None:
    """Let a session take no more sends."""
    console = Console.output(as_json)
    closed = with_loop(lambda loop: loop.close_session(session_id))
    console.say(f"{closed.id} is closed.")
    console.value(row(closed))


@session.command("pause")
def pause(session_id: SessionArgument, as_json: AsJson = False) -> None:
    """Start no more sends of a session; those that come wait."""
    console = Console.output(as_json)
    paused = with_loop(lambda loop: loop.pause_session(session_id))
    console.say(f"{paused.id} is paused.")
    console.value(row(paused))


@session.command("resume")
def resume(session_id: SessionArgument, as_json: AsJson = False) -> None:
    """Start sends of a session again."""
    console = Console.output(as_json)
    resumed = with_loop(lambda loop: loop.resume_session(session_id))
    console.say(f"{resumed.id} goes on.")
    console.value(row(resumed))


def row(item: Session) -> dict[str, object]:
    """A session as a row."""
    return {
        "id": item.id,
        "agent": item.agent,
        "status": item.status.value,
        "paused_at": item.paused_at,
        "policy": item.policy.value,
        "pending": item.pending,
        "messages": item.seq,
        "epoch": item.epoch,
        "metadata": item.metadata,
        "created_at": item.created_at,
        "updated_at": item.updated_at,
    }


def message_row(message: Message) -> dict[str, object]:
    """A message as a JSON value."""
    return {
        "seq": message.seq,
        "role": message.role.value,
        "content": content_to_json(message.content),
        "send_id": message.send_id,
        "epoch": message.epoch,
        "created_at": message.created_at,
    }


def say_message(console: Console, message: Message) -> None:
    """A message as lines for people."""
    for block in message.content:
        console.say(f"{message.seq:>5} {message.role:<9} {_line(block)}")


def json_object(text: str, option: str) -> Mapping[str, Any]:
    """The object that an option was given as JSON.

    Raises:
        InvalidInput: it is not a JSON object.
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"{option} is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise InvalidInput(f"{option} is a JSON object, not {text!r}.")
    return value


def _line(block: Block) -> str:
    match block:
        case TextBlock(text=text):
            return text
        case ImageBlock(url=url, media_type=media_type):
            return f"[{media_type} {url or 'inline'}]"
        case ToolCallBlock(name=name, arguments=arguments):
            return f"→ {name}({json.dumps(arguments, ensure_ascii=False)})"
        case ToolResultBlock(text=text, is_error=is_error):
            return f"{'✗' if is_error else '←'} {text}"
        case ReasoningBlock(text=text, redacted=redacted):
            return "(reasoning, redacted)" if redacted else f"({text})"
