"""Cancelling: ask for the end of sends, and tell at once whoever has to bring it about."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from powerloop.client.publishing import published
from powerloop.kernel.dispatch import Ready
from powerloop.kernel.ids import SendId, SessionId
from powerloop.kernel.jsontypes import JSONObject
from powerloop.kernel.ports.dispatcher import Dispatcher
from powerloop.kernel.ports.nudges import Nudges
from powerloop.kernel.ports.store import Store
from powerloop.kernel.sends import Cancellation, Send, SendStatus
from powerloop.kernel.subagents import PARENT_CANCELLED

#: Sessions whose sends are cancelled at once.
_AT_ONCE: Final = 8

_PAGE: Final = 1_000

#: Where somebody is to hear of it at once: the worker, or whoever waits for the end.
_NUDGED: Final = (SendStatus.RUNNING, SendStatus.CANCELLED)

_NOT_ENDED: Final = tuple(status for status in SendStatus if not status.is_final)


class Canceller:
    """Cancels sends: the row first, then whatever hears of it sooner than by looking at the row."""

    def __init__(self, store: Store, dispatcher: Dispatcher, nudges: Nudges) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._nudges = nudges

    async def cancel(self, send_id: SendId, *, reason: str, actor: str) -> Cancellation:
        """Ask for the end of one send; what it came to."""
        cancellation = await self._store.sends.cancel(send_id, reason=reason, actor=actor)
        if cancellation.send:
            await self.tell(cancellation.send, cancellation.ready, cancellation.parent)
        return cancellation

    async def disown(self, send_id: SendId, reason: str) -> None:
        """Ask for the end of a send that no person has asked for, and of all that is bound to it."""
        await self.cancel_each([send_id], reason=reason, actor="")

    async def tell(self, send: Send, *ready: Ready | None) -> None:
        """Tell of a request that is written: whoever minds the send, workers of what is ready by it, and the
        sub-agents that are to end with it."""
        if send.status in _NUDGED:
            await self._nudges.nudge(send)
        for one in ready:
            if one:
                await published(self._dispatcher, one)
        if send.cancel and not send.status.is_final:
            await self._cancel_below(send.id, send.cancel.actor)

    async def _cancel_below(self, send_id: SendId, actor: str) -> None:
        """Ask for the end of the sub-agents that are to end with the send.

        The upper ones first: who is to end starts no more sub-agents, and is not woken by the ends of those
        that it has. What one started before it was asked is found by looking again.
        """
        while below := [one for one in await self._store.sends.bound_to(send_id) if one.cancel is None]:
            nearest = min(one.depth for one in below)
            its_own = [one for one in below if one.depth == nearest]
            await self._cancel_all(its_own, reason=PARENT_CANCELLED, actor=actor)

    async def cancel_each(
        self, send_ids: Iterable[SendId], *, reason: str, actor: str
    ) -> Sequence[Cancellation]:
        """Ask for the end of sends by their ids; what it came to, in the order of the ids."""
        ids = tuple(dict.fromkeys(send_ids))
        found = [await self._store.sends.find(send_id) for send_id in ids]
        known = [send for send in found if send]
        done = await self._cancel_all(known, reason=reason, actor=actor)
        by_id = {cancellation.send_id: cancellation for cancellation in done}
        unknown = [send_id for send_id in ids if send_id not in by_id]
        by_id |= {send_id: await self.cancel(send_id, reason=reason, actor=actor) for send_id in unknown}
        return [by_id[send_id] for send_id in ids]

    async def cancel_found(
        self,
        *,
        session_id: SessionId | None,
        agent: str | None,
        metadata: JSONObject | None,
        reason: str,
        actor: str,
    ) -> Sequence[Cancellation]:
        """Ask for the end of every send that has not ended and matches; what it came to."""
        found: list[Send] = []
        before: SendId | None = None
        while True:
            page = await self._store.sends.list(
                session_id=session_id,
                status=_NOT_ENDED,
                agent=agent,
                metadata=metadata,
                before=before,
                limit=_PAGE,
            )
            found += page
            if len(page) < _PAGE:
                return await self._cancel_all(found, reason=reason, actor=actor)
            before = page[-1].id

    async def _cancel_all(self, sends: Iterable[Send], *, reason: str, actor: str) -> list[Cancellation]:
        """Cancel the sends of each session from the last to the first: no cancelled head lets the next one
        start."""
        by_session: defaultdict[SessionId, list[Send]] = defaultdict(list)
        for send in sends:
            by_session[send.session_id].append(send)
        gate = asyncio.Semaphore(_AT_ONCE)

        async def cancel_session(its: list[Send]) -> list[Cancellation]:
            async with gate:
                backwards = sorted(its, key=lambda send: send.position, reverse=True)
                return [await self.cancel(send.id, reason=reason, actor=actor) for send in backwards]

        done = await asyncio.gather(*(cancel_session(its) for its in by_session.values()))
        return [cancellation for of_session in done for cancellation in of_session]
