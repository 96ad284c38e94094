"""Metered: what each attempt at a model call used, as a ledger entry on its reply or its error."""

from dataclasses import dataclass, replace
from datetime import timedelta

from powerloop.kernel.clock import Clock
from powerloop.kernel.errors import EmptyAnswer, ModelDeadline, ModelError
from powerloop.kernel.estimate import estimate_usage
from powerloop.kernel.messages import TextBlock, ToolCallBlock
from powerloop.kernel.ports.model import Deltas, FinishReason, Model, ModelReply, ModelRequest
from powerloop.kernel.usage import CallOutcome, ModelCallEntry, Usage
from powerloop.llm.prices import PriceTable
from powerloop.llm.watched import WatchedDeltas


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spent:
    """What an attempt used."""

    usage: Usage
    estimated: bool


class Metered:
    """Writes one entry per attempt.

    A provider tells the usage at the end of its answer. For an attempt that never got there it is estimated:
    nothing if the provider refused the request, otherwise the whole input and the output written so far.

    Args:
        prices: What tokens cost; nothing is known of that without it.
    """

    def __init__(self, inner: Model, clock: Clock, prices: PriceTable | None = None) -> None:
        self._inner = inner
        self._clock = clock
        self._prices = prices or PriceTable()

    async def respond(self, request: ModelRequest, deltas: Deltas | None = None) -> ModelReply:
        started = self._clock.monotonic()
        watched = WatchedDeltas(deltas) if deltas else None
        reply: ModelReply | None = None
        try:
            reply = await self._inner.respond(request, watched)
            _refuse_empty(request, reply)
        except ModelError as error:
            spent = _spent(reply) if reply else _estimate(request, error, watched)
            error.attempts = (self._entry(request, started, spent, error.code),)
            raise
        return replace(reply, attempts=(self._entry(request, started, _spent(reply), None),))

    async def close(self) -> None:
        await self._inner.close()

    def _entry(
        self, request: ModelRequest, started: float, spent: _Spent, error_code: str | None
    ) -> ModelCallEntry:
        return ModelCallEntry(
            model=request.model,
            usage=spent.usage,
            estimated=spent.estimated,
            outcome=CallOutcome.FAILED if error_code else CallOutcome.OK,
            latency=timedelta(seconds=self._clock.monotonic() - started),
            error_code=error_code,
            cost=self._prices.cost_of(request.model, spent.usage),
        )


def _refuse_empty(request: ModelRequest, reply: ModelReply) -> None:
    """An answer that was cut off or declined may be empty; one that is said to be complete may not."""
    if reply.finish in (FinishReason.LENGTH, FinishReason.REFUSAL):
        return
    if not any(isinstance(block, ToolCallBlock) or _says_something(block) for block in reply.content):
        raise EmptyAnswer(f"{request.model} answered with neither text nor a tool call.")


def _says_something(block: object) -> bool:
    return isinstance(block, TextBlock) and bool(block.text.strip())


def _spent(reply: ModelReply) -> _Spent:
    return _Spent(usage=reply.usage, estimated=reply.estimated)


def _estimate(request: ModelRequest, error: ModelError, watched: WatchedDeltas | None) -> _Spent:
    written = watched.characters if watched else 0
    if written or isinstance(error, ModelDeadline):
        return _Spent(usage=estimate_usage(request, written), estimated=True)
    return _Spent(usage=Usage(), estimated=False)
