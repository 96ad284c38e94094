"""The in-memory store as a whole."""

from collections.abc import Sequence

from powerloop.kernel.clock import Clock, SystemClock
from powerloop.store.memory.agents import MemoryAgents
from powerloop.store.memory.beats import MemoryBeats
from powerloop.store.memory.explaining import MemoryExplaining
from powerloop.store.memory.interactions import MemoryInteractions
from powerloop.store.memory.journal import MemoryJournal
from powerloop.store.memory.recovery import MemoryRecovery
from powerloop.store.memory.retention import MemoryRetention
from powerloop.store.memory.sends import MemorySends
from powerloop.store.memory.sessions import MemorySessions
from powerloop.store.memory.state import LedgerRow, State
from powerloop.store.memory.timers import MemoryTimers
from powerloop.store.memory.tool_tasks import MemoryTaskRecovery, MemoryToolTasks
from powerloop.store.memory.usage import MemoryUsage
from powerloop.store.memory.workflow_recovery import MemoryWorkflowRecovery
from powerloop.store.memory.workflow_specs import MemoryWorkflowSpecs
from powerloop.store.memory.workflows import MemoryWorkflows


class MemoryStore:
    """A `Store` that lives as long as its process: for tests, and for trying things out.

    Args:
        clock: What tells the time, also of leases; the machine's clock unless given.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.state = State(clock=clock or SystemClock())
        self._sessions = MemorySessions(self.state)
        self._sends = MemorySends(self.state)
        self._agents = MemoryAgents(self.state)
        self._journal = MemoryJournal(self.state)
        self._interactions = MemoryInteractions(self.state)
        self._usage = MemoryUsage(self.state)
        self._explaining = MemoryExplaining(self.state)
        self._recovery = MemoryRecovery(self.state)
        self._tool_tasks = MemoryToolTasks(self.state)
        self._task_recovery = MemoryTaskRecovery(self.state)
        self._workflows = MemoryWorkflows(self.state)
        self._workflow_recovery = MemoryWorkflowRecovery(self.state)
        self._workflow_specs = MemoryWorkflowSpecs(self.state)
        self._timers = MemoryTimers(self.state)
        self._beats = MemoryBeats(self.state)
        self._retention = MemoryRetention(self.state)

    @property
    def sessions(self) -> MemorySessions:
        return self._sessions

    @property
    def sends(self) -> MemorySends:
        return self._sends

    @property
    def agents(self) -> MemoryAgents:
        return self._agents

    @property
    def journal(self) -> MemoryJournal:
        return self._journal

    @property
    def interactions(self) -> MemoryInteractions:
        return self._interactions

    @property
    def usage(self) -> MemoryUsage:
        return self._usage

    @property
    def explaining(self) -> MemoryExplaining:
        return self._explaining

    @property
    def recovery(self) -> MemoryRecovery:
        return self._recovery

    @property
    def tool_tasks(self) -> MemoryToolTasks:
        return self._tool_tasks

    @property
    def task_recovery(self) -> MemoryTaskRecovery:
        return self._task_recovery

    @property
    def workflows(self) -> MemoryWorkflows:
        return self._workflows

    @property
    def workflow_recovery(self) -> MemoryWorkflowRecovery:
        return self._workflow_recovery

    @property
    def workflow_specs(self) -> MemoryWorkflowSpecs:
        return self._workflow_specs

    @property
    def timers(self) -> MemoryTimers:
        return self._timers

    @property
    def beats(self) -> MemoryBeats:
        return self._beats

    @property
    def retention(self) -> MemoryRetention:
        return self._retention

    @property
    def ledger(self) -> Sequence[LedgerRow]:
        """Every attempt at a model call, in the order of the commits."""
        return tuple(self.state.ledger)

    async def open(self) -> None:
        """Nothing is to be opened."""

    async def close(self) -> None:
        """Nothing is to be closed: what was written can still be read."""
