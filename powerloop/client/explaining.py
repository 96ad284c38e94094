"""The verb that explains why a send is not running: gathering the facts, and putting them into words."""

from powerloop.client.verbs import Verbs
from powerloop.kernel.errors import BrokerUnavailable, SendNotFound
from powerloop.kernel.explain import Explanation, Facts, LockFacts, SendFacts, explain
from powerloop.kernel.ids import SendId, SessionId
from powerloop.kernel.sends import SendStatus


class ExplainVerbs(Verbs):
    """What a producer asks of a send that does not move."""

    async def explain(self, send_id: str) -> Explanation:
        """Why the send is not running: a stable code, one paragraph, and what to do.

        It reads the rows, the leases of the workers, the lock of the session and the length of the queue, and
        changes nothing. What does not answer is said so, and the rest is told without it.

        Raises:
            SendNotFound: there is none of that id.
        """
        return explain(await self._facts(SendId(send_id)))

    async def _facts(self, send_id: SendId) -> Facts:
        rows = await self._rows(send_id)
        head_id = rows.head_id
        ahead = None
        if rows.send.status is SendStatus.QUEUED and rows.ahead and head_id is not None:
            ahead = await self._seen(await self._rows(head_id))
        if ahead is None:
            return await self._seen(rows)
        return Facts(rows=rows, max_attempts=self._backend.max_attempts, unseen=ahead.unseen, ahead=ahead)

    async def _rows(self, send_id: SendId) -> SendFacts:
        rows = await self._backend.store.explaining.facts_of(send_id)
        if rows is None:
            raise SendNotFound(send_id)
        return rows

    async def _seen(self, rows: SendFacts) -> Facts:
        """The facts of a send, with what the queue's side has to say of it."""
        lock, unseen, backlog = None, "", None
        if rows.send.status in (SendStatus.QUEUED, SendStatus.RUNNING):
            lock, unseen = await self._lock(rows.send.session_id)
        if rows.send.status is SendStatus.QUEUED:
            counts = await self._backend.dispatcher.backlog((rows.send.queue,))
            backlog = None if counts is None else counts.get(rows.send.lane, 0)
        return Facts(
            rows=rows,
            max_attempts=self._backend.max_attempts,
            lock=lock,
            backlog=backlog,
            unseen=unseen,
        )

    async def _lock(self, session_id: SessionId) -> tuple[LockFacts | None, str]:
        """The lock of the session, and what could not be seen of it."""
        if self._backend.lock_reader is None:
            return None, ""
        try:
            return await self._backend.lock_reader.find(session_id), ""
        except BrokerUnavailable as error:
            return None, f"Whether the lock of its session is held could not be seen: {error.message}"
