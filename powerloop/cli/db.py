"""``powerloop db``: the database schema."""

import asyncio
from typing import Annotated

import typer

from powerloop.cli.console import AsJson, Console
from powerloop.kernel.errors import SettingsInvalid
from powerloop.settings import read_settings
from powerloop.store import migrate

UrlOption = Annotated[
    str,
    typer.Option("--url", help="The database; POWERLOOP_DATABASE_URL, or this folder's stack, unless given."),
]

db = typer.Typer(name="db", help="The database schema: upgrade, status, ddl.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the family to the tree."""
    app.add_typer(db)


@db.command("upgrade")
def upgrade(url: UrlOption = "", as_json: AsJson = False) -> None:
    """Bring the schema up to this version of powerloop. Safe to run from many places at once."""
    asyncio.run(migrate.upgrade(_url(url)))
    status(url=url, as_json=as_json)


@db.command("status")
def status(url: UrlOption = "", as_json: AsJson = False) -> None:
    """Say which schema the database has, and which one this version needs. Exits with 1 if they differ."""
    found = asyncio.run(migrate.status(_url(url)))
    Console.output(as_json).record({"state": found.state, "current": found.current, "head": found.head})
    raise typer.Exit(0 if found.state == "current" else 1)


@db.command("ddl")
def ddl(url: UrlOption = "") -> None:
    """Print the exact SQL that makes the schema, for somebody who may run it: powerloop db ddl | psql …"""
    typer.echo(migrate.ddl(_url(url)))


def _url(option: str) -> str:
    url = read_settings(database_url=option).database_url
    if not url:
        raise SettingsInvalid(
            "there is no database to look at.",
            hint="Set POWERLOOP_DATABASE_URL, pass --url, or run `powerloop dev` in this folder.",
        )
    return url
