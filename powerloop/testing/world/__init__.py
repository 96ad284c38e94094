"""The outside world: a server that counts what tools do to it, whatever dies meanwhile."""

from powerloop.testing.world.client import WorldClient
from powerloop.testing.world.process import WorldProcess
from powerloop.testing.world.request import WorldRequest
from powerloop.testing.world.server import WorldServer

__all__ = ["WorldClient", "WorldProcess", "WorldRequest", "WorldServer"]
