"""Events as the fields of an entry in a Redis stream, and back.

=========== ==================================================
field       value
=========== ==================================================
``send``    the send's id
``attempt`` the attempt that it belongs to, from 1
``epoch``   the claim that it belongs to
``offset``  its place among the events of its claim, from 0
``at``      when, in ISO 8601 with its offset from UTC
``type``    which of the events of `powerloop.kernel.events`
``data``    the fields of that event, as a JSON object
=========== ==================================================
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, Final, get_args

from powerloop.kernel.events import Event, EventBody
from powerloop.kernel.ids import Epoch, SendId, SessionId
from powerloop.kernel.interactions import InteractionKind
from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.messages import Role
from powerloop.kernel.sends import SendStatus, StopReason

logger = logging.getLogger("powerloop.events")

_BODIES: Final[Mapping[str, type[Any]]] = {body.type: body for body in get_args(EventBody)}
_ENUMS: Final[Mapping[str, type[Any]]] = {
    "kind": InteractionKind,
    "role": Role,
    "status": SendStatus,
    "stop_reason": StopReason,
}


def fields_of(event: Event) -> dict[str, str | int]:
    """The entry that carries the event. Its text is cleaned of what is no Unicode."""
    body = {field.name: getattr(event.body, field.name) for field in fields(event.body)}
    data = {name: clean_text(value) if isinstance(value, str) else value for name, value in body.items()}
    return {
        "send": event.send_id,
        "attempt": event.attempt,
        "epoch": event.epoch,
        "offset": event.offset,
        "at": event.at.isoformat(),
        "type": event.type,
        "data": json.dumps(data, ensure_ascii=False, separators=(",", ":")),
    }


def event_of(session_id: SessionId, cursor: str, entry: Mapping[str, str]) -> Event | None:
    """The event that the entry carries.

    `None` if this code does not know it: a newer worker wrote it, or something else did.
    """
    try:
        return Event(
            session_id=session_id,
            send_id=SendId(entry["send"]),
            attempt=int(entry["attempt"]),
            epoch=Epoch(int(entry["epoch"])),
            offset=int(entry["offset"]),
            at=datetime.fromisoformat(entry["at"]),
            body=_body_of(entry["type"], json.loads(entry["data"])),
            cursor=cursor,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        logger.debug("event not understood", extra={"session_id": session_id, "error": repr(error)})
        return None


def _body_of(kind: str, data: Mapping[str, Any]) -> EventBody:
    values = {
        name: _ENUMS[name](value) if name in _ENUMS and value is not None else value
        for name, value in data.items()
    }
    body: EventBody = _BODIES[kind](**values)
    return body
