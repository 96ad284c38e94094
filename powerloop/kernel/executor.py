"""The executor: find → admit → lock → claim → attempt → release → publish."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from powerloop.kernel.attempt import Attempt, publish
from powerloop.kernel.cancellation import to_its_end
from powerloop.kernel.crash_points import CrashPoint, passing
from powerloop.kernel.dispatch import activation_of
from powerloop.kernel.driving import Outcome, Ports, Release
from powerloop.kernel.errors import StoreUnavailable
from powerloop.kernel.ids import SendId
from powerloop.kernel.patience import once_stored
from powerloop.kernel.ports.lease import Held
from powerloop.kernel.ports.locks import HeldLock
from powerloop.kernel.quarantine import Quarantine
from powerloop.kernel.runs import Run, Runs
from powerloop.kernel.sends import Claim, Send, SendStatus

logger = logging.getLogger("powerloop.executor")

#: Seconds between looks at a lock that is held although its session's head waits. Whoever has it lets go in
#: milliseconds, or is dead and loses it within its TTL, which is shorter than the sum.
_LOCK_PATIENCE_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0)


class Executor:
    """Drives sends, any number at once, on one event loop."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._runs = Runs()
        self._quarantine = Quarantine(ports.max_attempts)
        self._draining = False
        self._giving_back: asyncio.Task[None] | None = None

    @property
    def running(self) -> int:
        """How many sends are being driven."""
        return len(self._runs)

    @property
    def quarantine(self) -> Quarantine:
        """Who is admitted to this process beside whom."""
        return self._quarantine

    def begin_drain(self) -> None:
        """From now on, hand every send over at its next commit."""
        self._draining = True

    def abandon(self) -> None:
        """Stop every send at once, without a write: this process could not prove that it is alive."""
        self._runs.abandon()

    def cancel(self, send_id: SendId) -> None:
        """Cut the send off, if it runs here: its end was asked for."""
        if run := self._runs.find(send_id):
            run.cancel()

    def reconcile(self, held: Sequence[Held]) -> None:
        """Compare what the database says this process runs with what it runs.

        Sends whose end was asked for are cut off. Those that nobody drives, because they were abandoned or
        lost while this process stayed the owner, are given back.
        """
        orphans = self._runs.compare(held)
        if orphans and self._giving_back is None:
            self._giving_back = asyncio.create_task(self._give_back(orphans))

    async def drive(self, send_id: SendId) -> Outcome:
        """Bring the send to its end, or as far as it goes here. Safe to call for any id, any number of times.

        Raises:
            asyncio.CancelledError: it was cancelled from outside; the send was handed over first.
            StoreUnavailable: the store went away, and this process shuts down.
        """
        if running := self._runs.find(send_id):
            running.activate()
            return Outcome.NOT_OURS
        while True:
            with self._runs.begin(send_id) as run:
                outcome = await self._survive(send_id, run)
            if outcome is Outcome.ENDED or not run.again:
                return outcome

    async def _survive(self, send_id: SendId, run: Run) -> Outcome:
        """Go as far as it goes here; the task outlives a run that is lost."""
        try:
            # A store that restarts costs a send time, and at most a model call.
            return await once_stored(
                lambda: self._attempt(send_id, run),
                self._ports.clock,
                give_up=lambda: self._draining,
                log_fields={"send_id": send_id},
            )
        except asyncio.CancelledError:
            if not run.lost:
                raise
            run.survive()
            if not run.waiting:
                logger.warning("send lost", extra={"send_id": send_id})
            return Outcome.LOST

    async def _attempt(self, send_id: SendId, run: Run) -> Outcome:
        run.again = False
        send = await self._ports.journal.find_send(send_id)
        if send is None or send.status.is_final or run.again:
            # Where another activation came meanwhile, the row may have been read before what it tells of.
            return Outcome.NOT_OURS
        run.waiting = True
        async with self._quarantine.admit(send, is_to_end=send.cancel is not None) as on_commit:
            run.waiting = False
            return await self._attempt_admitted(send, run, on_commit)

    async def _attempt_admitted(self, send: Send, run: Run, on_commit: Callable[[], None]) -> Outcome:
        lock = await self._lock(send, run)
        if lock is None:
            return Outcome.NOT_OURS
        try:
            claim = await self._claim(send)
            if claim:
                release = await self._carry_out(claim, run, on_commit)
            else:
                release = Release(outcome=Outcome.NOT_OURS)
        except BaseException:
            await lock.release()
            raise
        await to_its_end(self._let_go(lock, release))
        return release.outcome

    async def _lock(self, send: Send, run: Run) -> HeldLock | None:
        """The session's lock; `None` if somebody drives this send, or if it is not this send's turn."""
        for patience in _LOCK_PATIENCE_S:
            if lock := await self._ports.locks.acquire(send.session_id, run.lose):
                return lock
            current = await self._ports.journal.find_send(send.id)
            if current is None or current.status is not SendStatus.QUEUED:
                return None
            if not await self._ports.journal.is_head(current):
                # Whoever ends the send before it publishes it.
                return None
            await self._ports.clock.sleep(patience)
        logger.warning("session lock held", extra={"send_id": send.id, "session_id": send.session_id})
        # Its turn has come, and this may be its only activation: let it come again.
        await self._ports.dispatcher.publish([activation_of(send)])
        return None

    async def _claim(self, send: Send) -> Claim | None:
        passing(CrashPoint.BEFORE_CLAIM)
        claim = await self._ports.journal.claim(send, self._ports.worker)
        passing(CrashPoint.AFTER_CLAIM)
        if claim:
            self._ports.marks.note(send)
        return claim

    async def _carry_out(self, claim: Claim, run: Run, on_commit: Callable[[], None]) -> Release:
        return await Attempt(self._ports, claim, run, lambda: self._draining, on_commit).carry_out()

    async def _let_go(self, lock: HeldLock, release: Release) -> None:
        # Before the next head is published: whoever takes it must find the lock free.
        await lock.release()
        await publish(self._ports, release)

    async def _give_back(self, orphans: Sequence[Held]) -> None:
        try:
            given = await self._ports.recovery.give_back(orphans)
            logger.warning("sends given back", extra={"count": len(given)})
            await self._ports.dispatcher.publish([activation_of(send) for send in given])
        except StoreUnavailable as error:
            logger.warning("sends not given back", extra={"error": str(error)})
        finally:
            self._giving_back = None
