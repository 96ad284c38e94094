"""Whether a session takes a new send, and whether a send is an earlier one told again."""

from powerloop.kernel.errors import (
    InvalidInput,
    PowerLoopError,
    SessionBusy,
    SessionClosed,
    SessionNotFound,
)
from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import NewSend, Send
from powerloop.kernel.sessions import Session, SessionStatus
from powerloop.store.double_texting import policy_of


def refusal(session: Session | None, new: NewSend) -> PowerLoopError | None:
    """Why the session takes no `new` send; `None` if it does."""
    if session is None:
        return SessionNotFound(new.session_id)
    if session.status is SessionStatus.CLOSED:
        return SessionClosed(session.id)
    if policy_of(session, new) is Policy.REJECT and session.pending:
        return SessionBusy(session.id)
    return None


def refuse_closed(session: Session | None) -> None:
    """Pass a session that is open, and none.

    Raises:
        SessionClosed: it is closed.
    """
    if session is not None and session.status is SessionStatus.CLOSED:
        raise SessionClosed(session.id)


def same_send(earlier: Send, new: NewSend) -> Send:
    """The earlier send of the same id, if `new` repeats it.

    Raises:
        InvalidInput: it is another session's, or has other content.
    """
    if (earlier.session_id, earlier.content) != (new.session_id, new.content):
        raise InvalidInput(f"the id {new.id!r} belongs to another send.")
    return earlier
