"""What our processes exit with.

=========  =======================================================================
exit code  meaning
=========  =======================================================================
0          done
1          what was asked for did not come about: a send failed, a check found fault
2          wrong use: an unknown session, agent, option or setting
3          a service is away: database, broker, embedded stack
4          time ran out: the send goes on
130        interrupted by Ctrl-C
=========  =======================================================================
"""

from powerloop.kernel.errors import PowerLoopError, ResultTimeout, Unavailable, WrongUse

INTERRUPTED = 130


def exit_code(error: PowerLoopError) -> int:
    """What a process exits with that ends in this error."""
    match error:
        case WrongUse():
            return 2
        case Unavailable():
            return 3
        case ResultTimeout():
            return 4
        case _:
            return 1
