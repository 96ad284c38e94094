"""Isolation: what a process of its own may see and use, what is run in it, and how it ended.

Functions without I/O. `powerloop.kernel.ports.launcher` says what is made of it.
"""

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.limits import MAX_SPAN

MIB: Final = 1024 * 1024

#: What every system can count.
_MAX_COUNT: Final = 2**62

_LONGEST_COMPLAINT: Final = 2000
#: Colours and other sequences for terminals, and control characters but line ends and tabs.
_UNFIT: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


class EndedBy(StrEnum):
    """What ended a process that did not end by itself."""

    #: It took longer than `ProcessLimits.wall_clock`.
    WALL_CLOCK = "wall_clock"
    #: It used more than `ProcessLimits.cpu`.
    CPU = "cpu"
    #: It wrote more than `ProcessLimits.output_bytes`.
    OUTPUT = "output"
    #: A signal that no limit sent: it crashed, or somebody, such as a system out of memory, killed it.
    SIGNAL = "signal"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessLimits:
    """What a process may use. What is `None` is not limited.

    Raises:
        InvalidInput: a limit is not positive, is larger than anything that can be counted, or is no amount.
    """

    #: The time that the processor may work for it, in whole seconds, rounded up. Each process that it starts
    #: has as much of its own.
    cpu: timedelta | None = None
    #: The address space; in a container, what all its processes hold together. Allocations fail beyond it.
    memory_bytes: int | None = None
    #: From its start, on the clock on the wall.
    wall_clock: timedelta | None = None
    #: How many processes and threads there may be: in a container its own, elsewhere all of the account.
    processes: int | None = None
    #: The most that it may write to its standard output. Of standard error a tail is kept.
    output_bytes: int = 4 * MIB

    def __post_init__(self) -> None:
        for name in ("cpu", "wall_clock"):
            _check_span(name, getattr(self, name))
        for name in ("memory_bytes", "processes"):
            if getattr(self, name) is not None:
                _check_count(name, getattr(self, name))
        _check_count("output_bytes", self.output_bytes)

    def within(self, wall_clock: timedelta) -> "ProcessLimits":
        """The same, with no more time on the wall than that."""
        if self.wall_clock is not None and self.wall_clock <= wall_clock:
            return self
        return replace(self, wall_clock=wall_clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class IsolationPolicy:
    """What a process of its own may see and use.

    Raises:
        InvalidInput: a name is none that a variable can have, a path is not absolute and plain, or is to be
            both read-only and writable.
    """

    limits: ProcessLimits = field(default_factory=ProcessLimits)
    #: The names of the environment variables that are passed on, where they are set. No other is.
    environment: tuple[str, ...] = ()
    #: Whether it may reach the network, this machine's own services included.
    network: bool = False
    #: Files and folders that it may read, beside those that its launcher always shows.
    read_only: tuple[str, ...] = ()
    #: Files and folders that it may change. Of two paths, one in the other, the inner one's rule holds.
    writable: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "environment", _texts("environment", self.environment))
        object.__setattr__(self, "read_only", _texts("read_only", self.read_only))
        object.__setattr__(self, "writable", _texts("writable", self.writable))
        for name in self.environment:
            _check_variable(name)
        for path in (*self.read_only, *self.writable):
            _check_path(path)
        if both := set(self.read_only) & set(self.writable):
            raise InvalidInput(f"{min(both)!r} cannot be both read-only and writable.")

    @property
    def mounts(self) -> tuple[tuple[str, bool], ...]:
        """Each path, with whether it may be changed; one that is in another comes after it."""
        paths = [*((path, False) for path in self.read_only), *((path, True) for path in self.writable)]
        return tuple(sorted(paths, key=lambda mount: (mount[0].count("/"), mount[0])))


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A program to be run.

    Raises:
        InvalidInput: there is no program, or a text has a NUL in it, which no program can be given.
    """

    #: The program, by path or by a name that the ``PATH`` of its environment has, and its arguments. Anybody
    #: on the machine can read them: no secrets here.
    argv: tuple[str, ...]
    #: What it reads from its standard input, to the end.
    stdin: bytes = field(default=b"", repr=False)
    policy: IsolationPolicy = field(default_factory=IsolationPolicy)
    #: Environment variables that are set beside those that the policy passes on, and win over them.
    env: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "argv", _texts("argv", self.argv))
        if not (self.argv and self.argv[0]):
            raise InvalidInput("a launch names no program.")
        for name, value in self.env.items():
            _check_variable(name)
            _check_text(f"the variable {name}", value)

    def environment(self, ours: Mapping[str, str]) -> dict[str, str]:
        """Everything that the program finds in its environment, where `ours` is that of this process."""
        return {name: ours[name] for name in self.policy.environment if name in ours} | dict(self.env)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exited:
    """How a process ended."""

    #: What it ended with, negative for a signal.
    code: int
    #: As far as `ProcessLimits.output_bytes` allows.
    stdout: bytes
    #: The tail of it.
    stderr: bytes
    #: `None`: it ended by itself, well or not.
    ended_by: EndedBy | None = None

    @property
    def complaint(self) -> str:
        """The end of what it wrote to its standard error, fit to be shown and kept; may be empty."""
        text = _UNFIT.sub("", self.stderr.decode(errors="replace"))
        return clean_text(text).strip()[-_LONGEST_COMPLAINT:]


def _texts(name: str, values: Any) -> tuple[str, ...]:  # noqa: ANN401 - whatever was given
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise InvalidInput(f"{name} is several texts, not {values!r}.", hint=f"Write {name}=(…,).")
    texts = tuple(values)
    for text in texts:
        _check_text(name, text)
    return texts


def _check_text(name: str, text: Any) -> None:  # noqa: ANN401 - whatever was given
    # What it is stays untold: it may be a secret.
    if not isinstance(text, str) or "\0" in text:
        raise InvalidInput(f"{name} must be a text without NUL characters.")


def _check_variable(name: str) -> None:
    if not name or "=" in name or "\0" in name:
        raise InvalidInput(f"{name!r} is not the name of an environment variable.")


def _check_path(path: str) -> None:
    if not path.startswith("/") or path != posixpath.normpath(path):
        raise InvalidInput(f"{path!r} is not an absolute path without detours.")


def _check_span(name: str, value: Any) -> None:  # noqa: ANN401 - whatever was given
    if value is not None and not (isinstance(value, timedelta) and timedelta(0) < value <= MAX_SPAN):
        raise InvalidInput(f"the limit {name} is a timedelta of up to a century, not {value!r}.")


def _check_count(name: str, value: Any) -> None:  # noqa: ANN401 - whatever was given
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not (whole and 1 <= value <= _MAX_COUNT):
        raise InvalidInput(f"the limit {name} is a number from 1 to {_MAX_COUNT}, not {value!r}.")
