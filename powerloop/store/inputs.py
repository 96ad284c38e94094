"""What the store is given: checked in words before the database's own checks, and cleaned.

Names are cleaned by `clean_text` wherever they are written and wherever they are looked up, so that a name
with a character that a database refuses still means one thing.
"""

from dataclasses import replace

from powerloop.kernel.agents import MAX_AGENT_NAME_LENGTH
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.ids import MAX_ID_LENGTH, SendId, SessionId
from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.queues import MAX_PRIORITY
from powerloop.kernel.sends import NewSend, SendError
from powerloop.kernel.sessions import NewSession, Origin
from powerloop.store.encoding import cleaned, cleaned_content

#: The refusal of a call that is in the journal already.
SAME_CALL = "the ids and the places of a send's tool calls must differ."


def checked_session(new: NewSession) -> NewSession:
    """The session, cleaned.

    Raises:
        InvalidInput: a name is empty or too long, or the metadata is not JSON.
    """
    _check_length("a session's id", new.id)
    _check_length("an agent's name", new.agent, MAX_AGENT_NAME_LENGTH)
    return replace(
        new,
        id=session_name(new.id),
        agent=clean_text(new.agent),
        metadata=cleaned(new.metadata),
        origin=new.origin and _cleaned_origin(new.origin),
    )


def checked_send(new: NewSend) -> NewSend:
    """The send, cleaned.

    Raises:
        InvalidInput: a name is empty or too long, the priority is not from 0 to 9, or a value is not JSON.
    """
    _check_length("a send's id", new.id)
    if new.idempotency_key is not None:
        _check_length("an idempotency key", new.idempotency_key)
    if not 0 <= new.priority <= MAX_PRIORITY:
        raise InvalidInput(f"a priority is 0 to {MAX_PRIORITY}, not {new.priority}.")
    return replace(
        new,
        id=send_name(new.id),
        session_id=session_name(new.session_id),
        content=cleaned_content(new.content),
        idempotency_key=None if new.idempotency_key is None else clean_text(new.idempotency_key),
        metadata=cleaned(new.metadata),
    )


def checked_send_id(send_id: SendId) -> SendId:
    """The id as it stands in the database, or would stand.

    Raises:
        InvalidInput: it is empty or too long.
    """
    _check_length("a send's id", send_id)
    return send_name(send_id)


def session_name(session_id: SessionId) -> SessionId:
    """The id as it stands in the database."""
    return SessionId(clean_text(session_id))


def send_name(send_id: SendId) -> SendId:
    """The id as it stands in the database."""
    return SendId(clean_text(send_id))


def cleaned_error(error: SendError | None) -> SendError | None:
    """The error with a message that a database accepts."""
    if error is None:
        return None
    return SendError(code=clean_text(error.code), message=clean_text(error.message))


def _cleaned_origin(origin: Origin) -> Origin:
    spec = None if origin.spec is None else cleaned(origin.spec)
    return replace(origin, parent_id=session_name(origin.parent_id), spec=spec)


def _check_length(what: str, name: str, longest: int = MAX_ID_LENGTH) -> None:
    if not 1 <= len(name) <= longest:
        raise InvalidInput(f"{what} has 1 to {longest} characters, not {len(name)}.")
