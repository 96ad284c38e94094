"""Exit codes of wrappers, which tell a signal that ended their program by 128 and its number."""

from dataclasses import replace
from signal import SIGXCPU, valid_signals
from typing import Final

from powerloop.kernel.isolation import EndedBy, Exited

_SIGNALLED: Final = 128


def signalled(exited: Exited) -> Exited:
    """How the program ended, where its wrapper ended so by itself. One that chose such a code is not known
    from one that a signal ended."""
    number = exited.code - _SIGNALLED
    if exited.ended_by is not None or number not in valid_signals():
        return exited
    return replace(exited, code=-number, ended_by=EndedBy.CPU if number == SIGXCPU else EndedBy.SIGNAL)
