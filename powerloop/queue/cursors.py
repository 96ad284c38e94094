"""Cursors: the places that readers go on from, as opaque texts.

The feeds' own name a place in a stream, ``<milliseconds>-<number>`` as in Redis. Those that a reader of one
send is given say besides how far that send was followed: ``<place>.<epoch>.<offset>.<seq>``, with an empty
offset where the reader had lost the thread. A feed reads on from either.

Redis takes the places from its clock, so they rise even where a stream was deleted and begins anew; only a
clock that is put back meanwhile would hide new events from old cursors, and then the rows tell the end.
"""

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.ids import Epoch, Seq

_NUMBER: Final = r"\d{1,19}"
_CURSOR: Final = re.compile(
    rf"({_NUMBER})-({_NUMBER})(?:\.({_NUMBER})\.({_NUMBER})?\.({_NUMBER}))?", flags=re.ASCII
)

#: A place in a stream, as it is compared.
Position: TypeAlias = tuple[int, int]

BEGINNING: Final[Position] = (0, 0)
_NO_CLAIM: Final = Epoch(0)
_NO_MESSAGE: Final = Seq(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """How far a reader has followed one send."""

    #: The latest event that it has taken from the stream.
    position: Position = BEGINNING
    #: The highest epoch that it has seen; 0: none.
    epoch: Epoch = _NO_CLAIM
    #: The offset of the latest event of that epoch; `None` if it is not known whether one was missed.
    offset: int | None = None
    #: The latest message that it was told of; 0: none.
    seq: Seq = _NO_MESSAGE

    @property
    def cursor(self) -> str:
        """The cursor that names it."""
        offset = "" if self.offset is None else self.offset
        return f"{cursor_of(self.position)}.{self.epoch}.{offset}.{self.seq}"


def bookmark_of(cursor: str) -> Bookmark:
    """The bookmark that the cursor names; one that names a place in a stream tells nothing of any send.

    Raises:
        InvalidInput: it is no cursor that an event bore.
    """
    if not cursor:
        return Bookmark()
    if not (match := _CURSOR.fullmatch(cursor)):
        raise InvalidInput(
            f"{cursor!r:.60} is no cursor.", hint="Give the `cursor` of an event, or nothing to start over."
        )
    milliseconds, number, epoch, offset, seq = match.groups()
    return Bookmark(
        position=(int(milliseconds), int(number)),
        epoch=Epoch(int(epoch or 0)),
        offset=int(offset) if offset else None,
        seq=Seq(int(seq or 0)),
    )


def position_of(cursor: str) -> Position:
    """The place in a stream that the cursor names; ``""`` is the beginning. Errors as `bookmark_of`."""
    return bookmark_of(cursor).position


def cursor_of(position: Position) -> str:
    """The cursor that names the place in a stream."""
    return f"{position[0]}-{position[1]}"
