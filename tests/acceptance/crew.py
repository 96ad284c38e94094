"""Workers that die where they are told to, and their successors at the gate."""

import signal
from collections.abc import Mapping

from powerloop.kernel.crash_points import CrashPoint

#: What comes before the agents in the module that the workers import.
OBEYING = '''
import os, threading, time
from pathlib import Path

from powerloop.testing import crash_at

orders = Path(os.environ["ORDERS"])

def obey() -> None:
    """Die at the point that the test names, once it names one."""
    while not orders.exists():
        time.sleep(0.005)
    crash_at(orders.read_text())
    orders.rename(orders.with_suffix(".taken"))

threading.Thread(target=obey, daemon=True).start()

def wait_for_turn() -> None:
    """The process is ready; it begins when its predecessor is gone."""
    gate = Path(os.environ["GATE"])
    while not gate.exists():
        time.sleep(0.01)
'''


class Crew:
    """One worker at a time, and its successor at the gate."""

    def __init__(self, system, app: str, environment: Mapping[str, str]) -> None:
        self._system = system
        self._environment = {
            **environment,
            "POWERLOOP_APP": "crew_agents",
            "POWERLOOP_LEASE_TTL": "2",
            "POWERLOOP_LOCK_TTL": "2",
            "POWERLOOP_DRAIN_TIMEOUT": "0.2",
        }
        system.add_app("crew_agents", f"{OBEYING}{app}\nwait_for_turn()\n")
        self._started = 0
        self._next = self._start()
        self.advance()

    def advance(self, order: CrashPoint | None = None) -> None:
        """Let the successor in, under the order if there is one, and have another one get ready."""
        self._number, self.worker = self._started, self._next
        if order:
            self.order(order)
        (self._system.folder / f"gate{self._number}").touch()
        self._next = self._start()

    def order(self, point: CrashPoint) -> None:
        """Have the worker die when it passes the point for the first time from now on."""
        orders = self._orders(self._number)
        # Whole, or not there: the worker looks all the time.
        draft = orders.with_suffix(".draft")
        draft.write_text(point)
        draft.rename(orders)

    async def under_orders(self, eventually) -> None:
        taken = self._orders(self._number).with_suffix(".taken")
        await eventually(taken.exists, "the worker has its orders", within=30)

    async def died(self, eventually) -> None:
        await eventually(lambda: not self.worker.is_alive, "the worker is dead", within=30)
        assert self.worker.process.returncode == -signal.SIGKILL, self.worker.output()

    def _start(self):
        self._started += 1
        folder = self._system.folder
        return self._system.start_worker(
            ready=False,
            GATE=str(folder / f"gate{self._started}"),
            ORDERS=str(self._orders(self._started)),
            **self._environment,
        )

    def _orders(self, number: int):
        return self._system.folder / f"orders{number}.txt"
