"""Every store, and what the suite needs to drive one through its ports."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from powerloop.kernel.calls import CallStatus, Effect, NewToolCall, ToolOutcome
from powerloop.kernel.ids import CallId, InteractionId, SendId, SessionId, WorkerId
from powerloop.kernel.interactions import InteractionKind, NewInteraction
from powerloop.kernel.messages import NewMessage, Role, TextBlock, ToolCallBlock, ToolResultBlock
from powerloop.kernel.ports.journal import Ending, ModelCommit
from powerloop.kernel.ports.lease import Leases
from powerloop.kernel.ports.store import Store
from powerloop.kernel.sends import Accepted, Claim, NewSend, Send, SendStatus, StopReason
from powerloop.kernel.sessions import NewSession, Session
from powerloop.kernel.suspension import Suspension
from powerloop.kernel.usage import CallOutcome, ModelCallEntry, Usage
from powerloop.store import migrate, open_leases, open_store
from powerloop.store.memory import MemoryLeases, MemoryStore
from tests.conformance.store.statements import sql

LONG = timedelta(minutes=5)

LEDGER = (
    "SELECT send_id, round, attempt, model, purpose, outcome, error_code, "
    "input_tokens, output_tokens, latency_ms, estimated FROM {}model_calls ORDER BY id"
)


@dataclass
class Desk:
    """A store, its leases, and short ways to what most tests begin with."""

    store: Store
    leases: Leases
    #: Rows of the ledger: send, round, attempt, model, purpose, outcome, error code, tokens in and out, ms,
    #: and whether the tokens are estimated.
    ledger: Callable[[], list[tuple[Any, ...]]]
    #: Has a running send wait, behind the back of the store.
    halt: Callable[[SendId], None]
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    LONG: timedelta = LONG

    async def session(self, session_id: str = "", agent: str = "support", **metadata: Any) -> Session:
        """A new session."""
        name = SessionId(session_id or f"session-{next(self.numbers):03}")
        return await self.store.sessions.create(NewSession(id=name, agent=agent, metadata=metadata))

    async def accept(
        self, session: Session, send_id: str = "", text: str = "hello", **fields: Any
    ) -> Accepted:
        """Accept a new send."""
        return await self.store.sends.accept(self.new_send(session, send_id, text, **fields))

    def new_send(self, session: Session, send_id: str = "", text: str = "hello", **fields: Any) -> NewSend:
        """A send to be accepted."""
        name = SendId(send_id or f"send-{next(self.numbers):03}")
        return NewSend(id=name, session_id=session.id, content=(TextBlock(text=text),), **fields)

    def entry(self, *, failed: str | None = None, tokens: int = 10) -> ModelCallEntry:
        """A ledger entry that used about `tokens` of each kind, and took 1.5 s."""
        return ModelCallEntry(
            model="scripted:demo",
            usage=Usage(
                input_tokens=tokens,
                output_tokens=tokens + 1,
                cached_tokens=tokens + 2,
                cache_write_tokens=tokens + 3,
                reasoning_tokens=tokens + 4,
            ),
            outcome=CallOutcome.FAILED if failed else CallOutcome.OK,
            latency=timedelta(seconds=1.5),
            error_code=failed,
        )

    def says(self, text: str) -> NewMessage:
        """A model's message of one text."""
        return NewMessage(role=Role.ASSISTANT, content=(TextBlock(text=text),))

    def asks(
        self,
        *call_ids: str,
        number: int = 1,
        effect: Effect = Effect.READ,
        arguments: dict[str, Any] | None = None,
        entries: tuple[ModelCallEntry, ...] = (),
    ) -> ModelCommit:
        """A model's message that asks for calls of the tool `look`."""
        given = {"at": "home"} if arguments is None else arguments
        blocks = [ToolCallBlock(id=CallId(name), name="look", arguments=given) for name in call_ids]
        return ModelCommit(
            round=number,
            message=NewMessage(role=Role.ASSISTANT, content=(TextBlock(text="I shall look."), *blocks)),
            calls=tuple(
                NewToolCall(id=block.id, name="look", arguments=given, effect=effect, index=index)
                for index, block in enumerate(blocks)
            ),
            entries=entries,
        )

    def results(self, *outcomes: ToolOutcome) -> NewMessage:
        """The message that tells the model how calls ended."""
        blocks = (ToolResultBlock(call_id=o.call_id, text=o.text, is_error=o.is_error) for o in outcomes)
        return NewMessage(role=Role.TOOL, content=tuple(blocks))

    def done(self, call_id: str, text: str = "seen") -> ToolOutcome:
        """A call that returned."""
        return ToolOutcome(call_id=CallId(call_id), status=CallStatus.DONE, text=text)

    def completed(self, text: str = "bye", *, rounds: int = 1, tokens: int = 10) -> Ending:
        """The end of a send whose model said `text`."""
        message = self.says(text)
        return Ending.completed(
            StopReason.END_TURN,
            rounds=rounds,
            output=message.content,
            messages=(message,),
            entries=(self.entry(tokens=tokens),),
        )

    async def running(self, worker: str = "worker-1", **fields: Any) -> Claim:
        """The claim of the only send of a new session, by a worker that is alive."""
        session = await self.session()
        return await self.claimed((await self.accept(session, **fields)).send, worker)

    async def claimed(self, send: Send, worker: str = "worker-1") -> Claim:
        """The claim of a send, by a worker that is alive."""
        self.leases.renew(WorkerId(worker), LONG)
        claim = await self.store.journal.claim(send, WorkerId(worker))
        assert claim is not None
        return claim

    async def taken_over(self, claim: Claim, worker: str = "worker-2") -> Claim:
        """The claim of another worker, after the first has died."""
        assert claim.send.owner is not None
        self.leases.release(claim.send.owner)
        return await self.claimed(claim.send, worker)

    async def in_doubt(
        self, *call_ids: str, others: tuple[str, ...] = ()
    ) -> tuple[Claim, list[InteractionId]]:
        """A send that waits: calls of it that run once are in doubt. Its claim, and the open questions."""
        claim = await self.running()
        await self.asked(claim, *call_ids, *others, effect=Effect.ONCE)
        await self.store.journal.start_calls(claim.fence, [CallId(name) for name in call_ids])
        suspension = self.doubts(*call_ids)
        await self.store.journal.suspend(claim.fence, suspension)
        return claim, [question.id for question in suspension.interactions]

    def doubts(self, *call_ids: str) -> Suspension:
        """To wait for people, who are asked about calls in doubt."""
        asked = (
            self.question(name, InteractionKind.IN_DOUBT, prompt=f"Did {name} happen?") for name in call_ids
        )
        return Suspension(interactions=tuple(asked))

    def question(
        self, call_id: str, kind: InteractionKind = InteractionKind.INPUT, **fields: Any
    ) -> NewInteraction:
        """A question to a person about a call."""
        name = InteractionId(f"question-{next(self.numbers):03}")
        return NewInteraction(
            id=name, kind=kind, call_id=CallId(call_id), **{"prompt": f"{call_id}?", **fields}
        )

    async def asked(self, claim: Claim, *call_ids: str, **options: Any) -> None:
        """Commit a model's message that asks for calls."""
        await self.store.journal.commit_model(claim.fence, self.asks(*call_ids, **options))

    def renamed(self, send: Send, send_id: str) -> Send:
        """The same send under another id, as a mistaken message may name it."""
        return replace(send, id=SendId(send_id))

    def moved(self, send: Send, session_id: SessionId) -> Send:
        """The same send in another session, as a mistaken message may name it."""
        return replace(send, session_id=session_id)

    async def session_of(self, claim: Claim) -> Session:
        """The session as it stands."""
        session = await self.store.sessions.find(claim.fence.session_id)
        assert session is not None
        return session

    async def send_of(self, claim: Claim) -> Send:
        """The send as it stands."""
        send = await self.store.sends.find(claim.fence.send_id)
        assert send is not None
        return send

    async def everything(self, claim: Claim) -> tuple[Any, ...]:
        """All that is stored of a send and its session."""
        journal = self.store.journal
        return (
            await self.session_of(claim),
            await self.send_of(claim),
            list(await journal.load_window(claim.fence.session_id)),
            list(await journal.load_calls(claim.fence.send_id)),
            list(await self.store.interactions.list(send_id=claim.fence.send_id, status=None)),
            self.ledger(),
        )


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with powerloop's schema and no rows."""
    file = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    asyncio.run(migrate.upgrade(f"sqlite:///{file}"))
    return file


@pytest.fixture(params=["memory", "sqlite", "postgres", "portable"])
def store_kind(request: pytest.FixtureRequest) -> str:
    """The store that a test runs on. ``portable`` is Postgres with the statements of SQLite."""
    kind: str = request.param
    return kind


@pytest.fixture
def store_url(request: pytest.FixtureRequest, store_kind: str, tmp_path: Path) -> str:
    """An empty database with the schema; nothing for the store in memory."""
    if store_kind == "memory":
        return ""
    if store_kind == "sqlite":
        file = tmp_path / "store.db"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), file)
        return f"sqlite:///{file}"
    url: str = request.getfixturevalue("migrated_postgres_url")
    return url


@pytest.fixture
async def desk(store_kind: str, store_url: str) -> AsyncIterator[Desk]:
    """An open, empty store."""
    store: Store
    if store_kind == "memory":
        store = memory = MemoryStore()
        desk = Desk(
            store, MemoryLeases(memory), lambda: memory_ledger(memory), partial(halt_in_memory, memory)
        )
    else:
        store = open_store(store_url, portable=store_kind == "portable")
        desk = Desk(
            store, open_leases(store_url), lambda: sql_ledger(store_url), partial(sql_halt, store_url)
        )
    await store.open()
    yield desk
    await store.close()
    desk.leases.close()


def memory_ledger(store: MemoryStore) -> list[tuple[Any, ...]]:
    return [
        (
            row.send_id,
            row.round,
            row.attempt,
            row.entry.model,
            row.entry.purpose,
            row.entry.outcome.value,
            row.entry.error_code,
            row.entry.usage.input_tokens,
            row.entry.usage.output_tokens,
            round(row.entry.latency.total_seconds() * 1000),
            row.entry.estimated,
        )
        for row in store.ledger
    ]


def sql_ledger(url: str) -> list[tuple[Any, ...]]:
    with sql(url) as (execute, schema):
        return execute(LEDGER.format(schema)).fetchall()


def halt_in_memory(store: MemoryStore, send_id: SendId) -> None:
    send = store.state.sends[send_id]
    store.state.sends[send_id] = replace(send, status=SendStatus.WAITING)


def sql_halt(url: str, send_id: SendId) -> None:
    with sql(url) as (execute, schema):
        execute(f"UPDATE {schema}sends SET status = 'waiting' WHERE id = '{send_id}'")
