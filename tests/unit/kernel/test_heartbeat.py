from datetime import timedelta
from typing import Any

import pytest

from powerloop.kernel.errors import StoreUnavailable
from powerloop.kernel.heartbeat import Heartbeat
from powerloop.kernel.ids import Epoch, SendId, SessionId, WorkerId
from powerloop.kernel.marks import Marks
from powerloop.kernel.ports.lease import Held

TTL = timedelta(milliseconds=80)
HELD = Held(
    send_id=SendId("send-1"), session_id=SessionId("session-1"), epoch=Epoch(1), cancel_requested=False
)


class Leases:
    """Leases that raise what they are told to."""

    def __init__(self) -> None:
        self.trouble: dict[str, Exception] = {}
        self.renewals = 0
        self.released = False

    def renew(self, worker: WorkerId, ttl: timedelta) -> None:
        self._meet("renew")
        self.renewals += 1

    def held(self, worker: WorkerId) -> list[Held]:
        self._meet("held")
        return [HELD]

    def held_tasks(self, worker: WorkerId) -> list[Any]:
        self._meet("held_tasks")
        return []

    def raise_marks(self, marks: Any) -> None:
        self._meet("raise_marks")

    def release(self, worker: WorkerId) -> None:
        self.released = True

    def close(self) -> None:
        pass

    def _meet(self, method: str) -> None:
        if error := self.trouble.get(method):
            raise error


class Told:
    """A heartbeat, and what it tells."""

    def __init__(self) -> None:
        self.leases = Leases()
        self.dead = 0
        self.held: list[Held] = []
        self.locks_renewed = 0
        self.heartbeat = Heartbeat(
            worker=WorkerId("worker-1"),
            leases=self.leases,
            locks=self,
            marks=Marks(),
            ttl=TTL,
            on_dead=self._die,
            on_held=lambda sends, tasks: self.held.extend(sends),
        )

    def renew(self) -> None:
        self.locks_renewed += 1

    def _die(self) -> None:
        self.dead += 1


@pytest.fixture
def told():
    told = Told()
    told.heartbeat.start()
    yield told
    told.heartbeat.stop()


async def test_it_renews_the_lease_and_the_locks_and_tells_what_is_held(told, eventually):
    await eventually(lambda: told.leases.renewals > 2 and told.locks_renewed > 2, "it beats")
    await eventually(lambda: HELD in told.held, "it tells what is held")
    assert told.dead == 0
    told.heartbeat.stop()
    assert told.leases.released


@pytest.mark.parametrize("error", [StoreUnavailable("away"), RuntimeError("can't start new thread")])
async def test_a_process_that_cannot_renew_its_lease_is_dead_once_and_alive_again(told, eventually, error):
    told.leases.trouble["renew"] = error
    await eventually(lambda: told.dead, "it is told to be dead")
    told.leases.trouble.clear()
    renewals = told.leases.renewals
    await eventually(lambda: told.leases.renewals > renewals, "it beats again")
    assert told.dead == 1


@pytest.mark.parametrize("error", [StoreUnavailable("away"), RuntimeError("can't start new thread")])
async def test_a_look_that_fails_costs_no_beat(told, eventually, error):
    told.leases.trouble["held"] = error
    renewals = told.leases.renewals
    await eventually(lambda: told.leases.renewals > renewals + 2, "it beats on")
    assert told.dead == 0
