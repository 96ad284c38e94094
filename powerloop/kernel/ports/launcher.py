"""The launcher port: running a program in a process of its own, and never without the isolation asked for."""

from typing import Protocol

from powerloop.kernel.isolation import Exited, Launch


class Launcher(Protocol):
    """Runs programs under a policy. Safe to use from many coroutines of one event loop.

    A program has a session and a process group of its own, finds in its environment what its launch allows
    and nothing else, is given its standard input, and finds the end of it. Its limits hold before its first
    instruction.

    It is ended at the limit of the clock on the wall or of output, and when the task that awaits it is
    cancelled: its whole group is sent SIGTERM, and SIGKILL after a grace, where the launcher can reach it; a
    launcher that cannot kills it at once. What it leaves running in its group when it ends is killed too.
    When `run` returns or raises, nothing of it is left.
    """

    async def run(self, launch: Launch) -> Exited:
        """Run the program to its end, whatever that is; a limit that ended it is told by `Exited.ended_by`.

        Raises:
            LaunchFailed: the program could not be run, or the launcher cannot keep to the policy. It was not
                run with less isolation instead.
        """
        ...

    async def check(self) -> None:
        """Find out whether programs can be run here.

        Raises:
            LaunchFailed: they cannot; the message says what is missing.
        """
        ...
