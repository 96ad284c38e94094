"""Models that do as a test tells them: scripts, and real SDKs on the wire server."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from powerloop.kernel.calls import Effect
from powerloop.kernel.messages import NewMessage, user_message
from powerloop.kernel.ports.model import FinishReason, Model, ModelRequest
from powerloop.kernel.tools import ToolSpec
from powerloop.kernel.usage import Usage
from powerloop.llm import Failure, ModelCatalog, RetryPolicy, Script, ScriptedCall, Turn
from powerloop.testing.wire import Reply, WireCall, WireServer, failure

#: What each answer is said to have used.
USAGE = Usage(input_tokens=100, output_tokens=20, cached_tokens=60, reasoning_tokens=7)
#: Three attempts, without a pause between them.
PATIENT = RetryPolicy(transient_attempts=3, first_pause=timedelta(0))
#: One attempt.
IMPATIENT = RetryPolicy(transient_attempts=1, empty_attempts=1)

_SOON = timedelta(milliseconds=20)
_STATUSES = {
    "model.rejected": 400,
    "model.unauthorized": 401,
    "model.rate_limited": 429,
    "model.unavailable": 503,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model is to say, in nobody's format."""

    text: str = ""
    reasoning: str = ""
    #: Names and arguments.
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    finish: FinishReason | None = None
    #: Before the first byte.
    delay: timedelta = timedelta(0)
    #: Before each further piece.
    pace: timedelta = timedelta(0)


class ToldProvider(Protocol):
    """A kind of model, and how a test tells it what to do."""

    #: ``provider:model``.
    name: str
    #: How long its rate limits ask to wait.
    retry_after: timedelta

    def will(self, answer: Answer, *, failing: tuple[str, ...] = (), breaks: bool = False) -> None:
        """Answer so, always.

        Args:
            answer: What to say.
            failing: The codes of the errors with which the first attempts fail; all the same.
            breaks: Break off the first attempt, if it is streamed, after some text.
        """
        ...

    def model(self, policy: RetryPolicy) -> Model:
        """The model, with so much patience."""
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...


class ScriptedProvider:
    """The offline model."""

    def __init__(self) -> None:
        self.name = "scripted:test"
        self.retry_after = _SOON
        self._turn = Turn()

    def will(self, answer: Answer, *, failing: tuple[str, ...] = (), breaks: bool = False) -> None:
        self._turn = Turn(
            text=answer.text,
            reasoning=answer.reasoning,
            calls=tuple(ScriptedCall(name=name, arguments=arguments) for name, arguments in answer.calls),
            finish=answer.finish,
            delay=answer.delay,
            pace=answer.pace,
            usage=USAGE,
            failure=self._failure(failing or ("model.unavailable",) * breaks),
        )

    def model(self, policy: RetryPolicy) -> Model:
        script = Script(otherwise=self._turn)
        return ModelCatalog(scripts={"test": script}, retries=policy).get(self.name)

    async def close(self) -> None:
        return

    def _failure(self, codes: tuple[str, ...]) -> Failure | None:
        if not codes:
            return None
        return Failure(code=codes[0], attempts=len(codes), retry_after=self.retry_after)


class WireProvider:
    """A provider's real SDK on the wire server.

    Args:
        name: ``provider:model``.
        wire: A running server.
    """

    def __init__(self, name: str, wire: WireServer) -> None:
        self.name = name
        self.retry_after = _SOON
        self._wire = wire
        self._catalogs: list[ModelCatalog] = []

    def will(self, answer: Answer, *, failing: tuple[str, ...] = (), breaks: bool = False) -> None:
        reply = Reply(
            text=answer.text,
            reasoning=answer.reasoning,
            calls=tuple(WireCall(name=name, arguments=arguments) for name, arguments in answer.calls),
            finish=answer.finish,
            usage=USAGE,
            delay=answer.delay,
            pace=answer.pace,
        )
        for code in failing:
            self._wire.enqueue(failure(_STATUSES[code], retry_after=self.retry_after.total_seconds()))
        if breaks:
            self._wire.enqueue(Reply(text=answer.text, drop_after=5))
        self._wire.script.add_rule(lambda _request: reply)

    def model(self, policy: RetryPolicy) -> Model:
        self._catalogs.append(ModelCatalog(self._wire.settings, retries=policy))
        return self._catalogs[-1].get(self.name)

    async def close(self) -> None:
        for catalog in self._catalogs:
            await catalog.close()


@dataclass(slots=True)
class WrittenDeltas:
    """Deltas as a reader has them: a rewind takes back what was written."""

    pieces: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    rewinds: int = 0

    def text(self, delta: str) -> None:
        self.pieces.append(delta)

    def reasoning(self, delta: str) -> None:
        self.reasons.append(delta)

    def rewind(self) -> None:
        self.rewinds += 1
        self.pieces.clear()
        self.reasons.clear()


def make_request(name: str, *messages: NewMessage, deadline_s: float = 10) -> ModelRequest:
    """A request to the model `name`, with one tool and a question that it answers."""
    return ModelRequest(
        model=name,
        system="You help.",
        messages=messages or (user_message("Where is order A-17?"),),
        tools=(
            ToolSpec(
                name="find_order",
                description="Find an order.",
                parameters={"type": "object", "properties": {"order_id": {"type": "string"}}},
                effect=Effect.READ,
            ),
        ),
        deadline=timedelta(seconds=deadline_s),
    )
