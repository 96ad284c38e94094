"""The command line, in this process or in one of its own, and a system for it to reach."""

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from powerloop.cli.entry import run as run_command
from powerloop.kernel.calls import Effect, NewToolCall
from powerloop.kernel.ids import CallId, InteractionId, SendId, SessionId, WorkerId
from powerloop.kernel.interactions import Interaction, InteractionKind, NewInteraction
from powerloop.kernel.messages import NewMessage, Role, TextBlock, ToolCallBlock
from powerloop.kernel.ports.journal import ModelCommit
from powerloop.kernel.sends import NewSend
from powerloop.kernel.sessions import NewSession
from powerloop.kernel.suspension import Suspension
from powerloop.kernel.usage import CallOutcome, ModelCallEntry, Usage
from powerloop.store import SqlStore, open_store

#: These start processes, or become another program.
_NEED_A_PROCESS = frozenset({"beat", "bench", "demo", "dev", "worker"})

Done: TypeAlias = subprocess.CompletedProcess[str]


@pytest.fixture
def powerloop(tmp_path: Path) -> Callable[..., Done]:
    """Runs the command line in a folder of its own, with nothing in its environment that it was not given.

    It runs in this process, which spares a second of imports: see `powerloop_process`.
    """

    def run_here(*arguments: str, **environment: str) -> Done:
        assert _NEED_A_PROCESS.isdisjoint(arguments[:1]), "use powerloop_process"
        with pytest.MonkeyPatch.context() as patch, _output() as (output, errors):
            for name in os.environ.keys() - _environment().keys():
                patch.delenv(name)
            for name, value in _environment(**environment).items():
                patch.setenv(name, value)
            patch.chdir(tmp_path)
            patch.setattr(sys, "path", [*sys.path])
            code = run_command(arguments)
        return subprocess.CompletedProcess(arguments, code, output.getvalue(), errors.getvalue())

    return run_here


@pytest.fixture
def powerloop_process(tmp_path: Path) -> Callable[..., Done]:
    """`powerloop` in a process: for what starts others, and for what only a whole process shows."""

    def run_there(*arguments: str, **environment: str) -> Done:
        return subprocess.run(
            [sys.executable, "-m", "powerloop", *arguments],
            env=_environment(**environment),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run_there


def _environment(**more: str) -> dict[str, str]:
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("POWERLOOP_", "OPENAI_"))
    }
    return {**clean, "COLUMNS": "200", **more}


@contextmanager
def _output() -> Iterator[tuple[StringIO, StringIO]]:
    """What is printed from here on, and what a process that configures no logging says of trouble."""
    with redirect_stdout(StringIO()) as output, redirect_stderr(StringIO()) as errors:
        handler = logging.StreamHandler(errors)
        handler.setLevel(logging.WARNING)
        logging.getLogger().addHandler(handler)
        try:
            yield output, errors
        finally:
            logging.getLogger().removeHandler(handler)


@pytest.fixture
def system(migrated_postgres_url: str, redis_url: str) -> dict[str, str]:
    """The environment of a system that is well, and runs no worker."""
    return {"POWERLOOP_DATABASE_URL": migrated_postgres_url, "POWERLOOP_REDIS_URL": redis_url}


@pytest.fixture
def run(powerloop: Callable[..., Done], system: dict[str, str]) -> Callable[..., list[Any]]:
    """Runs a command on the system; its output as JSON lines."""

    def run(*arguments: str, code: int = 0) -> list[Any]:
        done = powerloop(*arguments, "--json", **system)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


@pytest.fixture
def asks(system: dict[str, str]) -> Callable[..., Interaction]:
    """Has a new send of the session ``s`` ask a person about its call, in a process that is gone."""

    def ask(kind: InteractionKind, **fields: Any) -> Interaction:
        return asyncio.run(_asked(system["POWERLOOP_DATABASE_URL"], kind, fields))

    return ask


async def _asked(url: str, kind: InteractionKind, fields: dict[str, Any]) -> Interaction:
    store = open_store(url)
    try:
        return await _asked_in(store, kind, fields)
    finally:
        await store.close()


async def _asked_in(store: SqlStore, kind: InteractionKind, fields: dict[str, Any]) -> Interaction:
    await store.sessions.ensure(NewSession(id=SessionId("s"), agent="echo"))
    new = NewSend(id=SendId("x"), session_id=SessionId("s"), content=(TextBlock(text="Pay!"),))
    claim = await store.journal.claim((await store.sends.accept(new)).send, WorkerId("dead:1:1"))
    assert claim is not None
    call = NewToolCall(id=CallId("c1"), name="pay", arguments={"amount": 3}, effect=Effect.ONCE, index=0)
    block = ToolCallBlock(id=call.id, name=call.name, arguments=call.arguments)
    message = NewMessage(role=Role.ASSISTANT, content=(block,))
    entry = ModelCallEntry(
        model="scripted:echo", usage=Usage(), outcome=CallOutcome.OK, latency=timedelta(seconds=1)
    )
    commit = ModelCommit(round=1, message=message, calls=(call,), entries=(entry,))
    await store.journal.commit_model(claim.fence, commit)
    await store.journal.start_calls(claim.fence, [call.id])
    question = NewInteraction(
        id=InteractionId("x:1.0"), kind=kind, call_id=call.id, **{"prompt": "May I?", **fields}
    )
    await store.journal.suspend(claim.fence, Suspension(interactions=(question,)))
    asked = await store.interactions.find(question.id)
    assert asked is not None
    return asked
