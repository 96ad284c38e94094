"""`AsyncPowerLoop`: the public face of powerloop."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from powerloop.client.explaining import ExplainVerbs
from powerloop.client.interactions import InteractionVerbs
from powerloop.client.local import LocalBackend
from powerloop.client.remote import RemoteBackend
from powerloop.client.sends import SendVerbs
from powerloop.client.sessions import SessionVerbs
from powerloop.client.stored_workflows import StoredWorkflowVerbs
from powerloop.client.timer_previews import TimerPreviewVerbs
from powerloop.client.timers import TimerVerbs
from powerloop.client.usage import UsageVerbs
from powerloop.client.workflows import WorkflowVerbs
from powerloop.kernel.agents import Agent, AgentRegistry
from powerloop.llm import PriceTable, Script
from powerloop.settings import Settings, read_settings


class AsyncPowerLoop(
    SessionVerbs,
    SendVerbs,
    WorkflowVerbs,
    StoredWorkflowVerbs,
    TimerVerbs,
    TimerPreviewVerbs,
    InteractionVerbs,
    UsageVerbs,
    ExplainVerbs,
):
    """Sessions, sends, workflows and timers. An async context manager; safe to use from many coroutines of
    one loop.

    Every method may raise `StoreUnavailable`: the database does not answer. Repeating the call is safe where
    it carries an id or an idempotency key.
    """

    @classmethod
    def from_env(cls, settings: Settings | None = None) -> Self:
        """A client of the system that the environment names (``POWERLOOP_DATABASE_URL``,
        ``POWERLOOP_REDIS_URL``).

        Where it names none, the stack that ``powerloop dev`` runs in this folder, or in one above, is used.

        Raises:
            SettingsInvalid: an address is missing or malformed.
        """
        return cls(RemoteBackend(settings or read_settings()))

    @classmethod
    def local(
        cls,
        path: str | Path,
        *,
        agents: Iterable[Agent],
        scripts: Mapping[str, Script] | None = None,
        concurrency: int = 100,
        prices: PriceTable | None = None,
    ) -> Self:
        """The same face with no server: SQLite, and sends driven in this process.

        What an earlier process left undone goes on at once; what one was killed with, when its lease has run
        out, within five seconds. Several processes of one machine may share the file: each send is run by one
        of them, and taken over by another if that one dies. They must have the same agents, and one that
        reads the `SendHandle.events` of a send that runs in another is told its end only.

        Args:
            path: The database file, made if it is not there; ``":memory:"`` keeps everything in memory.
            agents: What can be run.
            scripts: What the model ``scripted:NAME`` plays, by name.
            concurrency: The most sends that run at once.
            prices: What calls of models cost, where powerloop does not know it, or knows it otherwise.

        Raises:
            SettingsInvalid: a setting of the environment is malformed.
        """
        return cls(
            LocalBackend(
                str(path),
                AgentRegistry(agents),
                scripts=scripts or {},
                concurrency=concurrency,
                prices=prices,
            )
        )

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            StoreUnavailable: the database does not answer.
            SchemaMissing, SchemaOutdated: the schema policy is ``verify``, and the schema is not there.
            SchemaNewer: the database was made by a newer powerloop.
        """
        await self._backend.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of every connection. Sends that workers run go on."""
        await self._backend.close()

    async def agents(self) -> Mapping[str, str]:
        """The agents that workers have announced: name and model."""
        return await self._backend.store.agents.models()
