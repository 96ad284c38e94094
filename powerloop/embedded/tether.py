"""A program of its own: ties itself to the life of its parent, then becomes the command that it was given.

It exists so that no Python code runs between fork and exec in a process with threads. It must work in the
bare interpreter (``python -I -S tether.py``), so it imports nothing of ours.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
NOT_STARTED = 127


def main(argv: list[str]) -> None:
    """Become ``argv[4:]``; before it: the parent's pid, the signal at its death, a uid, a gid (-1: stay)."""
    parent, death_signal, uid, gid = (int(word) for word in argv[:4])
    if uid >= 0:
        _become(uid, gid)
    _tie_to(parent, death_signal)
    os.execv(argv[4], argv[4:])  # noqa: S606 - becoming the command is what this program is for


def _become(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def _tie_to(parent: int, death_signal: int) -> None:
    # A change of user clears the tie, so it is made after. Only Linux has it.
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the process that started this one has gone already")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as error:
        sys.stderr.write(f"{sys.argv[5]} cannot be run: {error}\n")
        sys.exit(NOT_STARTED)
