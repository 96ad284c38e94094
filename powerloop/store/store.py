"""The store on a database, as a whole."""

from typing import Literal

from powerloop.store.agents import SqlAgents
from powerloop.store.beats import SqlBeats
from powerloop.store.database import Database
from powerloop.store.engine import parse_address
from powerloop.store.explaining import SqlExplaining
from powerloop.store.interactions import SqlInteractions
from powerloop.store.migrate import check
from powerloop.store.portable import PortableAcceptance, PortableJournal
from powerloop.store.postgres import PostgresAcceptance, PostgresJournal
from powerloop.store.recovery import SqlRecovery
from powerloop.store.retention import SqlRetention
from powerloop.store.sends import SqlSends
from powerloop.store.sessions import SqlSessions
from powerloop.store.task_recovery import SqlTaskRecovery
from powerloop.store.timers import SqlTimers
from powerloop.store.tool_tasks import SqlToolTasks
from powerloop.store.usage import SqlUsage
from powerloop.store.workflow_recovery import SqlWorkflowRecovery
from powerloop.store.workflow_runs import SqlWorkflows
from powerloop.store.workflow_specs import SqlWorkflowSpecs


class SqlStore:
    """The `Store` port. `open_store` makes one."""

    def __init__(
        self, url: str, *, policy: Literal["auto", "verify"], pool_size: int, portable: bool
    ) -> None:
        self._url, self._policy = url, policy
        address = parse_address(url)
        self._database = Database(address, pool_size=pool_size)
        self._journal: PostgresJournal | PortableJournal
        if portable or address.dialect == "sqlite":
            acceptance = PortableAcceptance(self._database)
            self._journal = PortableJournal(self._database, acceptance)
            self._sends = SqlSends(self._database, acceptance)
        else:
            acceptance = PortableAcceptance(self._database)
            hot = PostgresAcceptance(self._database, acceptance)
            rest = PortableJournal(self._database, acceptance)
            self._journal = PostgresJournal(self._database, hot, rest)
            self._sends = SqlSends(self._database, hot)
        self._sessions = SqlSessions(self._database)
        self._agents = SqlAgents(self._database)
        self._interactions = SqlInteractions(self._database)
        self._usage = SqlUsage(self._database)
        self._explaining = SqlExplaining(self._database)
        self._recovery = SqlRecovery(self._database)
        self._tool_tasks = SqlToolTasks(self._database)
        self._task_recovery = SqlTaskRecovery(self._database)
        self._workflows = SqlWorkflows(self._database)
        self._workflow_recovery = SqlWorkflowRecovery(self._database)
        self._workflow_specs = SqlWorkflowSpecs(self._database)
        self._timers = SqlTimers(self._database)
        self._beats = SqlBeats(self._database)
        self._retention = SqlRetention(self._database)

    @property
    def sessions(self) -> SqlSessions:
        return self._sessions

    @property
    def sends(self) -> SqlSends:
        return self._sends

    @property
    def agents(self) -> SqlAgents:
        return self._agents

    @property
    def journal(self) -> PostgresJournal | PortableJournal:
        return self._journal

    @property
    def interactions(self) -> SqlInteractions:
        return self._interactions

    @property
    def usage(self) -> SqlUsage:
        return self._usage

    @property
    def explaining(self) -> SqlExplaining:
        return self._explaining

    @property
    def recovery(self) -> SqlRecovery:
        return self._recovery

    @property
    def tool_tasks(self) -> SqlToolTasks:
        return self._tool_tasks

    @property
    def task_recovery(self) -> SqlTaskRecovery:
        return self._task_recovery

    @property
    def workflows(self) -> SqlWorkflows:
        return self._workflows

    @property
    def workflow_recovery(self) -> SqlWorkflowRecovery:
        return self._workflow_recovery

    @property
    def workflow_specs(self) -> SqlWorkflowSpecs:
        return self._workflow_specs

    @property
    def timers(self) -> SqlTimers:
        return self._timers

    @property
    def beats(self) -> SqlBeats:
        return self._beats

    @property
    def retention(self) -> SqlRetention:
        return self._retention

    async def open(self) -> None:
        await check(self._url, self._policy)

    async def close(self) -> None:
        await self._database.close()


def open_store(
    url: str,
    *,
    policy: Literal["auto", "verify"] = "auto",
    pool_size: int = 8,
    portable: bool = False,
) -> SqlStore:
    """The store of a database. It connects when its `open` is awaited.

    Args:
        url: ``postgresql://user:password@host:5432/name`` or ``sqlite:///file.db``.
        policy: ``auto`` brings the schema about when it is opened; ``verify`` refuses to open without it.
        pool_size: The most connections that it holds at once.
        portable: Run transactions of several statements on Postgres too, where it has single ones.

    Raises:
        SettingsInvalid: `url` is not the address of a database that powerloop can use.
    """
    return SqlStore(url, policy=policy, pool_size=pool_size, portable=portable)
