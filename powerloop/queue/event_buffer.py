"""The events that wait to be written: text that follows text of the same send is made one event."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from powerloop.kernel.events import (
    Event,
    EventBody,
    ReasoningDelta,
    SendEnded,
    SendHandedOver,
    SendWaiting,
    TextDelta,
)
from powerloop.kernel.ids import Epoch, SendId, SessionId

#: Characters of text in one event; more begins another, so that no entry grows without bound.
_MAX_TEXT: Final = 8_192

#: Sends whose numbering is remembered. Those that end are forgotten; those that are lost fall out here.
_MAX_NUMBERED: Final = 10_000


class EventBuffer:
    """Keeps the order of each session, and numbers the events of each claim as they will be written.

    The offsets that events come with are replaced: they count deltas that are merged here. Per claim, those
    that leave rise by one from 0; where an event had to be dropped, its number is missing.

    Args:
        limit: The most events that wait; further ones are dropped.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._batches: dict[SessionId, list[Event]] = {}
        self._count = 0
        self._next_offsets: OrderedDict[tuple[SendId, Epoch], int] = OrderedDict()

    def add(self, event: Event) -> bool:
        """Take the event; whether there was room for it."""
        batch = self._batches.get(event.session_id)
        if batch and (body := _merged(batch[-1], event)):
            batch[-1] = replace(batch[-1], body=body)
            return True
        offset = self._number(event)
        if self._count >= self._limit:
            return False
        self._count += 1
        self._batches.setdefault(event.session_id, []).append(replace(event, offset=offset))
        return True

    def take(self) -> Mapping[SessionId, list[Event]]:
        """Everything that waits, in order per session. It waits no longer."""
        batches, self._batches, self._count = self._batches, {}, 0
        return batches

    def _number(self, event: Event) -> int:
        claim = (event.send_id, event.epoch)
        offset = self._next_offsets.get(claim, 0)
        if isinstance(event.body, SendEnded | SendHandedOver | SendWaiting):
            self._next_offsets.pop(claim, None)
            return offset
        self._next_offsets[claim] = offset + 1
        self._next_offsets.move_to_end(claim)
        if len(self._next_offsets) > _MAX_NUMBERED:
            self._next_offsets.popitem(last=False)
        return offset


def _merged(last: Event, event: Event) -> EventBody | None:
    """Both as one, if they are text of the same claim and kind."""
    if (last.send_id, last.epoch) != (event.send_id, event.epoch):
        return None
    match last.body, event.body:
        case (TextDelta(text=before), TextDelta(text=after)) if len(before) < _MAX_TEXT:
            return TextDelta(text=before + after)
        case (ReasoningDelta(text=before), ReasoningDelta(text=after)) if len(before) < _MAX_TEXT:
            return ReasoningDelta(text=before + after)
        case _:
            return None
