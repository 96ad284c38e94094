"""What every family of verbs of `AsyncPowerLoop` works with."""

from powerloop.client.backend import Backend
from powerloop.client.cancelling import Canceller
from powerloop.client.handles import SendHandle
from powerloop.client.producer import Producer
from powerloop.client.watch import Watcher
from powerloop.kernel.sends import Send


class Verbs:
    """A family of verbs. `AsyncPowerLoop` inherits them all, so that they stand side by side on one face."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._canceller = Canceller(backend.store, backend.dispatcher, backend.nudges)
        self._producer = Producer(backend.store, backend.dispatcher, self._canceller)
        self._watcher = Watcher(backend.store, backend.feed)

    def _handle(self, send: Send) -> SendHandle:
        return SendHandle(send, self._watcher, self._canceller)
