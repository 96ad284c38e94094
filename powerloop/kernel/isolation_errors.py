"""The errors of isolated processes.

::

    ModelError
    ├── LaunchFailed                isolation.failed
    └── LeafFailed                  isolation.leaf_failed, or what the leaf failed with
"""

from powerloop.kernel.errors import ModelError


class LaunchFailed(ModelError):
    """Raised when a process of its own could not be run, or did not come to an end that can be used."""

    code = "isolation.failed"


class LeafFailed(ModelError):
    """Raised when the send that ran in a process of its own failed there: it fails with that code here."""

    code = "isolation.leaf_failed"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code  # type: ignore[misc] # of the failure, not of the class
