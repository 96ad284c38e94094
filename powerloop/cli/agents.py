"""``powerloop agents``: what can be run."""

from typing import Annotated

import typer

from powerloop.cli.connect import with_loop
from powerloop.cli.console import AsJson, Console
from powerloop.client.app import load_app


def register(app: typer.Typer) -> None:
    """Add the verb to the tree."""
    app.command("agents")(agents)


def agents(
    app: Annotated[
        str, typer.Option("--app", help="Modules to look into, instead of what workers announced.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List the agents that workers have announced, or those that modules define."""
    console = Console.output(as_json)
    if app:
        rows = [
            {"name": agent.name, "model": agent.model, "tools": [tool.spec.name for tool in agent.tools]}
            for agent in load_app(app).agents
        ]
        console.rows(("name", "model", "tools"), rows, empty="No agents.")
        return
    announced = with_loop(lambda loop: loop.agents())
    rows = [{"name": name, "model": model} for name, model in sorted(announced.items())]
    console.rows(("name", "model"), rows, empty="No worker has announced an agent yet: start one.")
