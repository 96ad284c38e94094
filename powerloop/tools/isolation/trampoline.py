"""A program of its own: takes its limits upon itself, then becomes the command that it was given.

It exists so that limits hold before the command's first instruction, and that no Python code runs between
fork and exec in a process with threads. It must work in the bare interpreter, as in
``python -I -S trampoline.py``, so it imports nothing of ours.
"""

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
NOT_STARTED = 127


def main(words: list[str]) -> None:
    """Become what follows ``--``.

    Before it: a file descriptor for the reason why that cannot be, the parent's pid, and any number of limits
    (``RLIMIT_AS=1048576``, ``RLIMIT_CPU=10:11``; a second number is the hard one) and of names of variables
    that are not to be passed on (``-LC_CTYPE``).
    """
    separator = words.index("--")
    (report, parent, *rules), command = words[:separator], words[separator + 1 :]
    os.set_inheritable(int(report), False)
    try:
        _become(int(parent), rules, command)
    except (OSError, ValueError, MemoryError) as error:
        os.write(int(report), f"{error.__class__.__name__}: {error}".encode(errors="replace")[:2000])
        sys.exit(NOT_STARTED)


def _become(parent: int, rules: list[str], command: list[str]) -> None:
    _tie_to(parent)
    # Python has them ignored, and what is ignored stays so in the command.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    for rule in rules:
        if rule.startswith("-"):
            os.environ.pop(rule[1:], None)
        else:
            _limit(*rule.split("="))
    os.execvp(command[0], command)  # noqa: S606 - becoming the command is what this program is for


def _limit(name: str, value: str) -> None:
    kind = getattr(resource, name)
    soft, _, hard = value.partition(":")
    # Only root may go beyond the limit that it was born with, and nobody needs to.
    ceiling = resource.getrlimit(kind)[1]
    wanted = (int(soft), int(hard or soft))
    if ceiling != resource.RLIM_INFINITY:
        wanted = (min(wanted[0], ceiling), min(wanted[1], ceiling))
    resource.setrlimit(kind, wanted)


def _tie_to(parent: int) -> None:
    # Only Linux has it.
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise ProcessLookupError("the process that started this one has gone already")


if __name__ == "__main__":
    main(sys.argv[1:])
