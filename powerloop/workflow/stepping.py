"""Stepping: what follows from what has happened to the nodes of a run. Without I/O.

It needs to know no more of a run than the nodes that something happened to, and those that they are in.
"""

from collections import deque
from dataclasses import replace

from powerloop.kernel.ids import NodeId
from powerloop.workflow.beginning import Opened, begin
from powerloop.workflow.instances import FALLBACK, Instance, child, root_of
from powerloop.workflow.joining import Close, GoOn, Tally, join, value_of
from powerloop.workflow.outcomes import CANCELLED, Ended, Outcome
from powerloop.workflow.policies import BestEffort
from powerloop.workflow.references import INPUT
from powerloop.workflow.spec import Fallback, ForeachNode, HumanNode, ParallelNode

TIMEOUT = "timeout"


class Stepping:
    """Moves a run on, and keeps account of what has changed.

    Args:
        run_id: Of the run.
        patient: Whether what is to be tried again later is left alone until `woken`; if not, it begins at
            once.
    """

    def __init__(self, run_id: str, *, patient: bool) -> None:
        self._run_id = run_id
        self._patient = patient
        #: What has changed, those that began it first.
        self.touched: dict[NodeId, Instance] = {}
        #: All below these was cancelled, what is not known of it included.
        self.cut_off: list[Instance] = []
        #: The last root that was begun.
        self.root: Instance | None = None
        #: Children to begin: a list, and no recursion, for thousands may begin and end at once.
        self._next: deque[tuple[Instance, int]] = deque()

    def begin(self, instance: Instance) -> None:
        """Begin a node, and all that can be begun with it."""
        self._begin(instance)
        self.go_on()

    def ended(self, leaf: Instance, outcome: Outcome) -> None:
        """Move on from the end of a leaf. One that has ended before changes nothing."""
        if leaf.outcome is None:
            self._end(leaf, outcome)
            self.go_on()

    def end(self, instance: Instance, outcome: Outcome) -> None:
        """End a node that has begun, with all below it, for good: a person has said so."""
        if instance.outcome is None:
            self._cancel_below(instance)
            self._end(instance, outcome, for_good=True)
            self.go_on()

    def timed_out(self, instance: Instance) -> None:
        """End a node whose time is over."""
        node = instance.node
        if isinstance(node, HumanNode) and "default" in node.model_fields_set:
            self.end(instance, Outcome.done(node.default))
        else:
            self.end(instance, Outcome.failed(TIMEOUT, f"it took longer than {node.timeout_s:g} s"))

    def woken(self, instance: Instance) -> None:
        """Go on where the time has come that a node waited for."""
        if instance.outcome is not None:
            return
        if instance.delay_s:
            instance.delay_s = 0.0
            self._begin(instance)
        elif instance.opened is None:
            self._end(instance, Outcome.done(None))
        elif isinstance(getattr(instance.node, "join", None), BestEffort):
            self._close(instance, None, None)
        self.go_on()

    def try_again(self, instance: Instance) -> None:
        """Begin another attempt at a node that has ended."""
        self._touch(instance)
        instance.superseded = True
        self._begin(self._again(instance))

    def pass_over(self, instance: Instance, outcome: Outcome) -> None:
        """Have a node that has ended end in another way."""
        self._end(instance, outcome)

    def revive(self, instance: Instance) -> None:
        """Open a node again that has ended."""
        self._touch(instance)
        instance.outcome, instance.value_from, instance.fell_back = None, None, False
        if fallback := instance.children.pop(FALLBACK, None):
            fallback.superseded = True
            self._touch(fallback)

    def fill(self, instance: Instance) -> None:
        """Begin as many in an open fan-out as may run at the same time."""
        tally, opened = instance.tally, instance.opened
        if not isinstance(instance.node, ParallelNode | ForeachNode) or instance.outcome is not None:
            return
        assert tally is not None
        assert opened is not None
        room = opened.window - (tally.begun - tally.ended)
        more = range(tally.begun, min(tally.total, tally.begun + max(room, 0)))
        instance.tally = replace(tally, begun=more.stop if more else tally.begun)
        self._next.extend((instance, index) for index in more)

    def go_on(self) -> None:
        """Begin what is to begin."""
        while self._next:
            instance, index = self._next.popleft()
            # The end of another may have ended it, or have it tried again.
            if instance.outcome is None and not instance.fell_back:
                one = instance.children[index] = child(instance, index)
                self._begin(one)
            elif instance.tally is not None:
                # Those after it do not begin either.
                instance.tally = replace(instance.tally, begun=min(instance.tally.begun, index))

    def _touch(self, instance: Instance) -> None:
        self.touched.setdefault(instance.id, instance)

    def _begin(self, instance: Instance) -> None:
        self._touch(instance)
        instance.begun = True
        if instance.parent is None:
            self.root = instance
        match begin(instance.node, instance.frame):
            case Outcome() as outcome:
                self._end(instance, outcome)
            case Opened() as opened:
                instance.opened = opened
                first = min(opened.window, opened.total)
                instance.tally = Tally(total=opened.total, begun=first)
                self._next.extend((instance, index) for index in range(first))
            case work:
                instance.work = work

    def _end(self, instance: Instance, outcome: Outcome, *, for_good: bool = False) -> None:
        """Try again, run something else, or tell the node that it is in."""
        node = instance.node
        self._touch(instance)
        if outcome.status is Ended.FAILED:
            if not for_good and _may_retry(instance, outcome):
                self._retry(instance, outcome)
                return
            if isinstance(node.on_error, Fallback) and not instance.fell_back:
                instance.fell_back = True
                instance.work = None
                other = instance.children[FALLBACK] = child(instance, FALLBACK)
                self._begin(other)
                return
            if node.on_error == "continue":
                outcome = replace(outcome, tolerated=True)
        instance.outcome = outcome
        if node.id:
            instance.frame.assign(node.id, outcome.value)
        if instance.parent is not None:
            self._tell(instance.parent, instance, outcome)

    def _retry(self, instance: Instance, outcome: Outcome) -> None:
        retry = instance.node.retry
        assert retry is not None
        self._cancel_below(instance)
        instance.outcome, instance.superseded = outcome, True
        again = self._again(instance)
        delay_s = retry.backoff_s * retry.factor ** (instance.attempt - 1)
        if self._patient and delay_s:
            again.delay_s = delay_s
            self._touch(again)
        else:
            self._begin(again)

    def _again(self, instance: Instance) -> Instance:
        """The next attempt at the node, not begun yet, in the place of this one."""
        parent, attempt = instance.parent, instance.attempt + 1
        if parent is None:
            again = self.root = root_of(self._run_id, instance.node, instance.frame[INPUT], attempt)
        else:
            again = parent.children[instance.index] = child(parent, instance.index, attempt)
        again.before = instance
        return again

    def _tell(self, parent: Instance, one: Instance, outcome: Outcome) -> None:
        if parent.outcome is not None:
            return  # it came too late; its value is kept with it
        if one.index == FALLBACK:
            parent.value_from = one
            self._end(parent, outcome)
            return
        if parent.fell_back:
            return  # likewise: another runs in the parent's stead
        assert parent.tally is not None
        self._touch(parent)
        parent.tally = tally = parent.tally.counting(outcome)
        match join(parent.node, tally, one.index, outcome, one.frame):
            case GoOn(index=index):
                parent.tally = replace(tally, begun=max(tally.begun, index + 1))
                self._next.append((parent, index))
            case Close(failure=failure):
                self._close(parent, failure, one)

    def _close(self, instance: Instance, failure: Outcome | None, last: Instance | None) -> None:
        """End an open node; `last` is the one in it that has ended last."""
        # Of others than fan-outs, only those run on then that may finish.
        losers = getattr(instance.node, "losers", "finish" if failure is None else "cancel")
        if losers == "cancel":
            self._cancel_below(instance)
        if failure is not None:
            # Its own, whoever below it has failed.
            self._end(instance, replace(failure, tolerated=False))
        elif isinstance(instance.node, ParallelNode | ForeachNode):
            self._end(instance, Outcome.done(value_of(instance.node, instance.values())))
        else:
            assert last is not None
            assert last.outcome is not None
            instance.value_from = last
            self._end(instance, Outcome.done(last.outcome.value))

    def _cancel_below(self, instance: Instance) -> None:
        self.cut_off.append(instance)
        for one in instance.walk():
            if one is not instance and one.outcome is None:
                one.outcome = CANCELLED
                self._touch(one)


def _may_retry(instance: Instance, outcome: Outcome) -> bool:
    retry = instance.node.retry
    if retry is None or instance.fell_back:
        return False
    return instance.attempt < retry.attempts and (retry.on is None or outcome.code in retry.on)
