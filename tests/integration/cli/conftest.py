"""The command line in processes of its own, and a system for it to reach."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from powerloop.kernel.calls import Effect, NewToolCall
from powerloop.kernel.ids import CallId, InteractionId, SendId, SessionId, WorkerId
from powerloop.kernel.interactions import Interaction, InteractionKind, NewInteraction
from powerloop.kernel.messages import NewMessage, Role, TextBlock, ToolCallBlock
from powerloop.kernel.ports.journal import ModelCommit, Suspension
from powerloop.kernel.sends import NewSend
from powerloop.kernel.sessions import NewSession
from powerloop.kernel.usage import CallOutcome, ModelCallEntry, Usage
from powerloop.store import open_store


@pytest.fixture
def powerloop(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command line in a folder of its own."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("POWERLOOP_", "OPENAI_"))
        }
        return subprocess.run(
            [sys.executable, "-m", "powerloop", *arguments],
            env={**clean, "COLUMNS": "200", **environment},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def system(migrated_postgres_url: str, redis_url: str) -> dict[str, str]:
    """The environment of a system that is well, and runs no worker."""
    return {"POWERLOOP_DATABASE_URL": migrated_postgres_url, "POWERLOOP_REDIS_URL": redis_url}


@pytest.fixture
def run(
    powerloop: Callable[..., subprocess.CompletedProcess[str]], system: dict[str, str]
) -> Callable[..., list[Any]]:
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
    await store.close()
    assert asked is not None
    return asked
