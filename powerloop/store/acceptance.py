"""What an accept that wrote nothing means, an earlier send or a refusal, in whatever form it was tried."""

from typing import Final, Protocol

from sqlalchemy import and_, or_, select

from powerloop.kernel.errors import SessionBusy, SessionNotFound
from powerloop.kernel.ids import SendId
from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import Accepted, NewSend, Send
from powerloop.store.admission import refusal, same_send
from powerloop.store.database import Run
from powerloop.store.rows import send_of, session_of
from powerloop.store.schema import sends, sessions

#: The constraints by which a twin refuses a row: the same id, the same key.
TAKEN: Final = frozenset({"pk_sends", "uq_sends_session_id_idempotency_key"})

#: Sends with the their session's agent, and how it differs from what workers know, as `send_of` reads them.
SENDS: Final = select(sends, sessions.c.agent, sessions.c.spec).join(sessions)


class Acceptance(Protocol):
    """The hot half of the `Sends` port, in a form of its own for each kind of database."""

    async def accept(self, new: NewSend) -> Accepted:
        """As `Sends.accept`."""
        ...

    async def find(self, send_id: SendId) -> Send | None:
        """As `Sends.find`."""
        ...


async def earlier_or_refused(run: Run, new: NewSend) -> Accepted:
    """The earlier send that `new` repeats.

    Raises:
        InvalidInput: the id belongs to another send.
        SessionNotFound: there is no such session.
        SessionClosed: the session is closed.
        SessionBusy: the session is busy, and the policy is `REJECT`.
    """
    if earlier := await find_earlier(run, new):
        return Accepted(send=earlier, created=False, is_head=False)
    rows = await run(select(sessions).where(sessions.c.id == new.session_id))
    # A session that would take it by now was made, or became idle, while we looked: the refusal stands.
    late = SessionBusy if new.policy is Policy.REJECT else SessionNotFound
    raise refusal(session_of(rows[0]) if rows else None, new) or late(new.session_id)


async def find_earlier(run: Run, new: NewSend) -> Send | None:
    """The send that was accepted before under the same key of the session, or else under the same id.

    Raises:
        InvalidInput: the id belongs to another session, or to other content.
    """
    same_id, same_key = sends.c.id == new.id, sends.c.idempotency_key == new.idempotency_key
    if new.idempotency_key is None:
        found = await run(SENDS.where(same_id))
    else:
        found = await run(SENDS.where(or_(same_id, and_(sends.c.session_id == new.session_id, same_key))))
    for row in found:
        if row["session_id"] == new.session_id and row["idempotency_key"] == new.idempotency_key is not None:
            return send_of(row)
    return same_send(send_of(found[0]), new) if found else None
