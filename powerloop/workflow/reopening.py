"""Reopening: a run that has ended goes on where it failed; what came to a value is kept. Without I/O."""

from collections.abc import Iterable
from dataclasses import replace

from powerloop.kernel.workflows import Resume
from powerloop.workflow.instances import FALLBACK, Instance
from powerloop.workflow.outcomes import Ended, Outcome
from powerloop.workflow.stepping import Stepping


def reopen(stepping: Stepping, instances: Iterable[Instance], resume: Resume) -> None:
    """Open again what has failed or was cancelled, and begin it anew where it did.

    Args:
        stepping: Takes the steps.
        instances: Every node of the run that is the last attempt at it.
        resume: What of it is to be tried again.
    """
    known = list(instances)
    root = next((one for one in known if one.parent is None), None)
    if root is None or _is_well(root):
        return
    # Of a node that is well, or that there is not, nothing is to be mended: all else is, then.
    target = next((one for one in known if one.path == resume.path and not _is_well(one)), None)
    _Reopening(stepping, resume, target).mend(root)
    stepping.go_on()


class _Reopening:
    def __init__(self, stepping: Stepping, resume: Resume, target: Instance | None) -> None:
        self._stepping = stepping
        self._resume = resume
        self._target = target
        self._way = set(map(id, _up(target))) if target else None

    def mend(self, one: Instance) -> None:
        """Have a node that did not come to a value go on."""
        if one is self._target:
            self._way = None
            if self._resume.skip:
                self._stepping.pass_over(one, Outcome.done(self._resume.value))
                return
        members = [member for index, member in sorted(one.children.items()) if index != FALLBACK]
        bad = [member for member in members if member.outcome and not member.outcome.is_well]
        mended = [member for member in bad if self._is_mended(member)]
        if one.opened is None or not mended:
            self._stepping.try_again(one)
            return
        self._open(one, members, mended)
        for member in mended:
            # The end of one may have ended them all.
            if one.outcome is None:
                self.mend(member)
        self._stepping.fill(one)

    def _is_mended(self, member: Instance) -> bool:
        """Whether it is to go on: what was cancelled was so because another failed."""
        assert member.outcome is not None
        is_cut_off = member.outcome.status is Ended.CANCELLED
        return self._way is None or id(member) in self._way or is_cut_off

    def _open(self, one: Instance, members: list[Instance], mended: list[Instance]) -> None:
        ended = [member.outcome for member in members if member.outcome and member not in mended]
        assert one.tally is not None
        one.tally = replace(
            one.tally,
            ended=len(ended),
            done=sum(outcome.status is Ended.DONE for outcome in ended),
            bad=sum(not outcome.is_well for outcome in ended),
        )
        self._stepping.revive(one)


def _is_well(one: Instance) -> bool:
    return one.outcome is None or one.outcome.is_well


def _up(one: Instance | None) -> Iterable[Instance]:
    while one is not None:
        yield one
        one = one.parent
