"""The driver of runs: a defect costs one run, and that is ended rather than hang."""

from types import SimpleNamespace

from powerloop.kernel.ids import RunId
from powerloop.kernel.ports.workflows import Advanced
from powerloop.workflow.driver import RunDriver


class Runs:
    """Steps that fail so many times."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    async def advance(self, _run_id, _planner):
        if self.failures:
            self.failures -= 1
            raise ValueError("it makes no sense")
        return Advanced()

    async def find(self, _run_id):
        return SimpleNamespace(send_id="send")


async def moved_on(failures: int, steps: int) -> list[tuple[str, str]]:
    """What was asked to end, once a run was moved on so often."""
    ended: list[tuple[str, str]] = []

    async def ask_for_end(send_id, reason):
        ended.append((send_id, reason))

    async def publish(_activations):
        return True

    driver = RunDriver(Runs(failures), None, SimpleNamespace(publish=publish), ask_for_end)
    for _ in range(steps):
        await driver.move_on(RunId("run"))
    return ended


async def test_a_run_that_fails_on_a_defect_time_and_again_is_ended_with_the_reason():
    assert await moved_on(failures=3, steps=3) == [("send", "internal: ValueError: it makes no sense")]


async def test_a_defect_that_passes_ends_nothing():
    assert await moved_on(failures=2, steps=5) == []
