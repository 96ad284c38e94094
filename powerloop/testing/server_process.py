"""A test server in a process of its own, and how to talk to it."""

import subprocess
import sys
import urllib.request
from types import TracebackType
from typing import Self

_TIMEOUT_S = 30


class ServerProcess:
    """Runs a module that prints its address. A context manager; its methods block.

    Args:
        module: What ``python -m`` runs.
        options: Its command-line options.
    """

    def __init__(self, module: str, **options: float) -> None:
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        self._command = [sys.executable, "-m", module, *flags]
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            code = self._process.wait(_TIMEOUT_S)
            raise RuntimeError(f"{self._command[2]} did not start: exit code {code}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process:
            self._process.terminate()
            self._process.communicate(timeout=_TIMEOUT_S)

    def control(self, name: str, body: bytes | None = None) -> bytes:
        """What a control endpoint answers: to a POST if there is a body, otherwise to a GET."""
        with urllib.request.urlopen(f"{self.url}/control/{name}", body, _TIMEOUT_S) as response:
            answer: bytes = response.read()
        return answer
