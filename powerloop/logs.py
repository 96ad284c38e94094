"""What our processes log: one line per record, its fields behind the message as ``key=value``."""

import logging
import sys
from typing import Final

#: What every record has by itself; all else was given as ``extra``.
_OWN_FIELDS: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}

#: Chatty at INFO, and of no use there.
_QUIET: Final = ("httpx", "httpx2", "openai", "anthropic", "alembic", "aiohttp.access")


class FieldFormatter(logging.Formatter):
    """Time, level, logger, message, and the fields that the record was given."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        fields = " ".join(
            f"{name}={_shown(value)}" for name, value in vars(record).items() if name not in _OWN_FIELDS
        )
        line = super().formatMessage(record)
        return f"{line} {fields}" if fields and record.name.startswith("powerloop") else line


def log_with_fields(level: int | str, path: str | None = None) -> None:
    """Have this process log so.

    Args:
        level: As `logging` has it, by number or name.
        path: The file that is written; standard error unless given.
    """
    handler = logging.FileHandler(path) if path else logging.StreamHandler(sys.stderr)
    handler.setFormatter(FieldFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _shown(value: object) -> str:
    text = str(value)
    return repr(text) if " " in text or not text else text
