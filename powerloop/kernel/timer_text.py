"""What a timer says: its template, and what is put into the places of it."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.ids import TimerId

#: What a template may name: the due time in the zone of the timer, its date and time of day, which send of
#: the timer it is, the timer, and two opening braces.
PLACES: Final = ("due_at", "date", "time", "tick", "timer_id", "braces")

_BRACES: Final = "{{"
_ESCAPED: Final = "{{braces}}"
_PLACE: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def render(text: str, timer_id: TimerId, tick_at: datetime, number: int, tz: str) -> str:
    """The template with its places filled; see `PLACES`."""
    local = tick_at.astimezone(ZoneInfo(tz))
    values = {
        "due_at": local.isoformat(timespec="seconds"),
        "date": local.date().isoformat(),
        "time": local.strftime("%H:%M"),
        "tick": str(number),
        "timer_id": timer_id,
        "braces": _BRACES,
    }
    return _PLACE.sub(lambda place: values.get(place.group(1), place.group()), text)


def escaped(text: str) -> str:
    """The template that says just this text, whatever braces it has."""
    return text.replace(_BRACES, _ESCAPED)


def unescaped(template: str) -> str:
    """The text that was `escaped`."""
    return template.replace(_ESCAPED, _BRACES)


def check_template(text: str) -> None:
    """Pass a text that has no places but those that are filled.

    Raises:
        InvalidInput: it has another one.
    """
    for name in unknown_places(text):
        raise InvalidInput(
            f"the input of a timer has no {{{{{name}}}}}.",
            hint=f"There are: {', '.join(f'{{{{{place}}}}}' for place in PLACES)}.",
        )


def unknown_places(text: str) -> Iterator[str]:
    """The names in the places of a template that nothing is put into."""
    return (name for name in _PLACE.findall(text) if name not in PLACES)
