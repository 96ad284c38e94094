"""Readers of a stream: killed and resumed, across dead workers and trimmed streams."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from powerloop import AsyncPowerLoop, Event, SendHandle
from powerloop.kernel.events import MessageCommitted, Rewind, SendEnded, SendStarted, TextDelta
from powerloop.testing.wire import Reply, WireProcess

pytestmark = pytest.mark.acceptance

#: Prints what it reads, a line for each event, until it is killed.
READER = """
import asyncio, json
from powerloop import AsyncPowerLoop

async def main():
    async with AsyncPowerLoop.from_env() as loop:
        send = await loop.get_send({send_id!r})
        async for event in send.events():
            text = getattr(event.body, "text", "")
            print(json.dumps([event.cursor, event.epoch, event.offset, event.type, text]), flush=True)

asyncio.run(main())
"""

WORDS = tuple(f"word{number} " for number in range(80))


@dataclass
class Reading:
    """What a reader holds: the text that has been shown and not taken back, and the places it was at."""

    text: str = ""
    texts: list[str] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)
    cursor: str = ""
    rewound: bool = False

    def take(self, cursor: str, place: tuple[int, int], kind: str, text: str) -> None:
        self.cursor = cursor
        if place[0]:
            self.places.append(place)
        if kind == TextDelta.type:
            self.text += text
        elif kind == Rewind.type:
            self.text, self.rewound = "", True
        elif kind in (MessageCommitted.type, SendEnded.type):
            self.texts.append(self.text)
            self.text = ""

    def take_event(self, event: Event) -> None:
        text = event.body.text if isinstance(event.body, TextDelta) else ""
        self.take(event.cursor, (event.epoch, event.offset), event.type, text)

    def check_places(self) -> None:
        """No place was shown twice, and within a claim none was passed over."""
        assert len(set(self.places)) == len(self.places)
        for (epoch, offset), (next_epoch, next_offset) in zip(self.places, self.places[1:], strict=False):
            assert (next_epoch, next_offset) == (epoch, offset + 1) or next_epoch > epoch


class ReaderProcess:
    """A reader in a process of its own."""

    def __init__(self, system, send: SendHandle) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", READER.format(send_id=send.id)],
            env=system.environment(POWERLOOP_APP=""),
            stdout=subprocess.PIPE,
            text=True,
        )

    async def read_until_killed(self, reading: Reading, deltas: int) -> None:
        """Kill it in the middle of the text; what it had printed by then is what was seen."""
        assert self.process.stdout
        while deltas:
            line = await asyncio.to_thread(self.process.stdout.readline)
            assert line, "the reader ended by itself"
            deltas -= self._take(reading, line)
        self.process.kill()
        rest, _ = await asyncio.to_thread(self.process.communicate)
        for line in rest.splitlines():
            self._take(reading, line)

    def _take(self, reading: Reading, line: str) -> bool:
        cursor, epoch, offset, kind, text = json.loads(line)
        reading.take(cursor, (epoch, offset), kind, text)
        return kind == TextDelta.type


@pytest.fixture
def wire():
    with WireProcess() as wire:
        wire.on("write", Reply(chunks=WORDS, pace=timedelta(milliseconds=25)))
        yield wire


async def resume(send: SendHandle, reading: Reading) -> None:
    async for event in send.events(after=reading.cursor):
        reading.take_event(event)


def said(reading: Reading) -> Sequence[str]:
    """The texts of the messages that had any."""
    return [text for text in reading.texts if text]


async def test_a_reader_that_was_killed_goes_on_where_it_was(system, loop: AsyncPowerLoop, wire):
    session = await loop.create_session("wired")
    send = await loop.send(session.id, "Write.")
    # Readers start before the worker: on a busy machine, they take longer than the text.
    reader, reading = ReaderProcess(system, send), Reading()
    system.start_worker(**wire.environ)
    await reader.read_until_killed(reading, deltas=10)
    seen = len(reading.text)
    assert 0 < seen < len("".join(WORDS))
    await resume(send, reading)
    assert said(reading) == ["".join(WORDS)]
    assert not reading.rewound
    reading.check_places()
    assert reading.places[0][1] == 0


async def test_a_reader_that_was_killed_with_the_worker_is_told_to_rewind(system, loop: AsyncPowerLoop, wire):
    quick = {"POWERLOOP_LEASE_TTL": "1", "POWERLOOP_LOCK_TTL": "1", **wire.environ}
    system.start_beat(POWERLOOP_SWEEP_INTERVAL="0.2")
    session = await loop.create_session("wired")
    send = await loop.send(session.id, "Write.")
    # The text of the worker that dies does not come to its end.
    wire.enqueue(Reply(chunks=WORDS, pace=timedelta(milliseconds=200)))
    reader, reading = ReaderProcess(system, send), Reading()
    doomed = system.start_worker(**quick)
    await reader.read_until_killed(reading, deltas=10)
    doomed.kill()
    system.start_worker(**quick)
    assert (await send.result(timeout=30)).ok
    await resume(send, reading)
    assert reading.rewound
    assert said(reading) == ["".join(WORDS)]
    reading.check_places()
    assert (await send.refresh()).attempt == 2


async def test_a_reader_whose_place_was_trimmed_is_told_by_the_store(system, loop: AsyncPowerLoop, wire):
    # A stream keeps nodes of a hundred entries: what is trimmed to ten keeps up to a hundred.
    session = await loop.create_session("wired")
    send = await loop.send(session.id, "Write.")
    reader, reading = ReaderProcess(system, send), Reading()
    system.start_worker(POWERLOOP_STREAM_LENGTH="10", **wire.environ)
    await reader.read_until_killed(reading, deltas=5)
    assert (await send.result(timeout=30)).ok
    for number in range(30):
        assert (await (await loop.send(session.id, f"Say {number}.")).result(timeout=30)).ok
    await resume(send, reading)
    assert reading.rewound
    assert said(reading) == ["".join(WORDS)]


async def test_a_reader_that_leaves_ends_nothing(system, loop: AsyncPowerLoop, wire):
    system.start_worker(**wire.environ)
    session = await loop.create_session("wired")
    send = await loop.send(session.id, "Write.")
    async for event in send.events():
        if isinstance(event.body, SendStarted):
            break
    assert (await send.result(timeout=30)).text == "".join(WORDS)
