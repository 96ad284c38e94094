"""The hand-written statements, read once from the files beside this one.

None of them returns ``*``: they are prepared on connections that outlive the next release's new columns, and
a prepared statement must not change the columns that it returns.
"""

from importlib.resources import files
from typing import Final


def _read(name: str) -> bytes:
    """The statement without its comments: the driver parses only short statements once and for all."""
    lines = files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8").splitlines()
    return " ".join(line.strip() for line in lines if not line.startswith("--")).encode()


ACCEPT: Final = _read("accept")
CLAIM: Final = _read("claim")
COMMIT_MODEL: Final = _read("commit_model")
COMMIT_RESULTS: Final = _read("commit_results")
FIND_SEND: Final = _read("find_send")
FINISH: Final = _read("finish")
HAND_OVER: Final = _read("hand_over")
LOAD_CALLS: Final = _read("load_calls")
LOAD_WINDOW: Final = _read("load_window")
START_CALLS: Final = _read("start_calls")
