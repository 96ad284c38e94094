"""The pytest plugin: fixtures for those who test their agents. It loads in every run, so it imports late."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    # Imported by the fixtures that need them: a test run that uses none pays nothing.
    from powerloop.client.blocking import PowerLoop
    from powerloop.llm import ModelCatalog, Turn
    from powerloop.testing.wire import WireServer


@pytest.fixture
def powerloop_wire() -> "Iterator[WireServer]":
    """An LLM provider on a free port of 127.0.0.1, in a thread of its own.

    ``powerloop_wire.settings`` points a `ModelCatalog` at it, ``powerloop_wire.environ`` a process;
    ``powerloop_wire.enqueue(Reply(…))`` tells it what to answer, ``powerloop_wire.requests`` what it got.
    """
    from powerloop.testing.wire import WireServer, serving  # noqa: PLC0415 - see the module docstring

    with serving(WireServer()) as server:
        yield server


@pytest.fixture
def powerloop_script() -> "Callable[..., ModelCatalog]":
    """Makes a catalogue whose model ``scripted:test`` plays the turns that it is given, in each session."""
    from powerloop.llm import ModelCatalog, Script  # noqa: PLC0415 - see the module docstring

    def play(*turns: "Turn") -> "ModelCatalog":
        return ModelCatalog(scripts={"test": Script(turns=turns)})

    return play


@pytest.fixture
def powerloop_local() -> "Iterator[Callable[..., PowerLoop]]":
    """Makes a `PowerLoop` in memory, of the agents (and scripts) that it is given; closed when the test ends.

    In a coroutine, use ``async with AsyncPowerLoop.local(":memory:", agents=[…])`` instead.
    """
    from powerloop.client.blocking import PowerLoop  # noqa: PLC0415 - see the module docstring

    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(PowerLoop.local(":memory:", **options))
