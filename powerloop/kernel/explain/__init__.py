"""Why a send is not running: what is known of it, and what that comes to in one paragraph."""

from powerloop.kernel.explain.explaining import explain
from powerloop.kernel.explain.explanation import Cause, Explanation
from powerloop.kernel.explain.facts import Facts, Lease, LockFacts, RunFacts, SendFacts, Workers

__all__ = [
    "Cause",
    "Explanation",
    "Facts",
    "Lease",
    "LockFacts",
    "RunFacts",
    "SendFacts",
    "Workers",
    "explain",
]
