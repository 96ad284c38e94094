"""Every interleaving of three inputs, five policies and the crash points of a send of two rounds.

What is looked at in each is in `interleaving`: at every commit the transcript is valid, every accepted send
ends as it had to, and no accepted input is lost.
"""

from collections.abc import Iterable, Iterator
from itertools import product

import pytest

from powerloop.kernel.agents import Agent
from powerloop.kernel.crash_points import CrashPoint
from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import Accepted, NewSend
from powerloop.store.memory import MemoryStore
from tests.unit.kernel.interleaving import ENDS_HEAD, Case, Interleaving

POLICIES = tuple(Policy)
PAIRS = tuple(product(POLICIES, repeat=2))
#: One more than the crash points that a send of two rounds passes: the last is never come to while it runs.
PASSINGS = 14
#: A passing after each of its commits: queued, claimed, the calls asked for, told of, ended.
AFTER_COMMITS = (0, 2, 5, 8, 11)
#: With those of a merge.
CRASHES = PASSINGS + 2


def from_elsewhere(store: MemoryStore):
    """`Sends.accept` without an event loop: nothing in the memory store waits."""

    def accept(new: NewSend) -> Accepted:
        try:
            store.sends.accept(new).send(None)
        except StopIteration as done:
            return done.value
        raise AssertionError("the store waits for something")

    return accept


@pytest.fixture
def play(house, script):
    """Plays a story in memory."""
    agent = Agent(name="support", model="fake:m", tools=[script.tool("look")])

    async def play(case: Case) -> Interleaving:
        store = MemoryStore()
        story = Interleaving(house(agent), store, from_elsewhere(store), case)
        await story.play()
        return story

    return play


def in_order(of_second: Iterable[int], of_third: Iterable[int]) -> list[tuple[int, int]]:
    return [(one, other) for one, other in product(of_second, of_third) if one <= other]


def wherever_they_arrive(second: Policy, third: Policy) -> Iterator[Case]:
    """Between two commits only one that cuts off what runs finds something else at each passing."""
    moments = [range(PASSINGS) if policy in ENDS_HEAD else AFTER_COMMITS for policy in (second, third)]
    for number, arrivals in enumerate(in_order(*moments)):
        yield Case((POLICIES[number % len(POLICIES)], second, third), arrivals)


def whatever_they_find_written(second: Policy, third: Policy) -> Iterator[Case]:
    for arrivals in in_order(AFTER_COMMITS, AFTER_COMMITS):
        yield Case((Policy.ENQUEUE, second, third), arrivals, nudged=False)


def wherever_it_dies(second: Policy, third: Policy) -> Iterator[Case]:
    """What is refused leaves nothing behind: it is tried while the session is busy, and while it is not."""
    moments = [(2, 11) if policy is Policy.REJECT else AFTER_COMMITS for policy in (second, third)]
    for arrivals in in_order(*moments):
        for crash in range(CRASHES):
            yield Case((POLICIES[crash % len(POLICIES)], second, third), arrivals, crash)


@pytest.mark.parametrize(("second", "third"), PAIRS)
async def test_wherever_two_inputs_arrive_all_end_as_their_policies_say(play, second, third):
    for case in wherever_they_arrive(second, third):
        await play(case)


@pytest.mark.parametrize(("second", "third"), [pair for pair in PAIRS if set(pair) & set(ENDS_HEAD)])
async def test_an_interruption_that_nobody_hears_of_takes_effect_all_the_same(play, second, third):
    for case in whatever_they_find_written(second, third):
        await play(case)


@pytest.mark.parametrize(("second", "third"), PAIRS)
async def test_wherever_the_process_dies_the_next_one_goes_on(play, second, third):
    for case in wherever_it_dies(second, third):
        await play(case)


async def test_a_send_of_two_rounds_passes_as_many_crash_points_as_are_tried(play, monkeypatch):
    passed: list[CrashPoint] = []
    note = Interleaving._pass
    monkeypatch.setattr(
        Interleaving, "_pass", lambda story, point: (passed.append(point), note(story, point))
    )
    await play(Case((Policy.ENQUEUE, Policy.ENQUEUE, Policy.ENQUEUE), (0, 99)))
    assert passed[:PASSINGS] == [
        CrashPoint.BEFORE_CLAIM,
        CrashPoint.AFTER_CLAIM,
        CrashPoint.BEFORE_MODEL,
        CrashPoint.AFTER_MODEL,
        CrashPoint.AFTER_COMMIT_MODEL,
        CrashPoint.BEFORE_TOOL,
        CrashPoint.AFTER_TOOL,
        CrashPoint.AFTER_COMMIT_RESULTS,
        CrashPoint.BEFORE_MODEL,
        CrashPoint.AFTER_MODEL,
        CrashPoint.BEFORE_FINISH,
        CrashPoint.AFTER_FINISH,
        CrashPoint.BEFORE_PUBLISH,
        CrashPoint.AFTER_PUBLISH,
    ]
