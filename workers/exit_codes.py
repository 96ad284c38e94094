"""The exit codes by which a worker process says that its supervisor should start another."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Why a process gave itself up. Outside the ranges of shells, signals and ``sysexits.h``."""

    #: A coroutine did not end though it was cancelled again and again; the process shut down in good order.
    LEAKED = 81
    #: The event loop did not answer for a minute; the process ended at once.
    STALLED = 82
    #: The process shut down, but a thread of a blocking call did not let it end.
    STUCK = 83
