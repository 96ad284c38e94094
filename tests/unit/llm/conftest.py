"""Doubles of what models stand on: time, and a model inside a wrapper."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from powerloop.kernel.messages import TextBlock
from powerloop.kernel.ports.model import Deltas, FinishReason, ModelReply, ModelRequest
from powerloop.kernel.usage import Usage


class StillClock:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.at = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.at)

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


class InnerModel:
    """Answers with what it is given: a text, a reply, or an error to raise once its text is written."""

    def __init__(self, *outcomes: object, text: str = "", takes: float = 0, clock: StillClock) -> None:
        self.outcomes = list(outcomes)
        self.requests: list[ModelRequest] = []
        self.closed = False
        self._text = text
        self._takes = takes
        self._clock = clock

    async def respond(self, request: ModelRequest, deltas: Deltas | None = None) -> ModelReply:
        self.requests.append(request)
        self._clock.at += self._takes
        if deltas and self._text:
            deltas.text(self._text)
        match self.outcomes.pop(0):
            case Exception() as error:
                raise error
            case ModelReply() as reply:
                return reply
            case text:
                return ModelReply(
                    content=(TextBlock(text=str(text)),),
                    finish=FinishReason.STOP,
                    usage=Usage(input_tokens=3, output_tokens=2),
                )

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def inner(clock: StillClock) -> Callable[..., InnerModel]:
    """Makes a model to be wrapped: ``inner(error, "text", …)``."""
    return lambda *outcomes, **options: InnerModel(*outcomes, clock=clock, **options)
