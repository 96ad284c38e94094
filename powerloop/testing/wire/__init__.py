"""The LLM wire server: real sockets, real SDKs, scripted answers."""

from powerloop.testing.wire.process import WireProcess
from powerloop.testing.wire.reply import Reply, WireCall, failure
from powerloop.testing.wire.request import WireRequest
from powerloop.testing.wire.server import WireServer
from powerloop.testing.wire.threaded import serving

__all__ = ["Reply", "WireCall", "WireProcess", "WireRequest", "WireServer", "failure", "serving"]
