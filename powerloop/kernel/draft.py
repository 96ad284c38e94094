"""A draft: what a model call that still goes on has written."""

from datetime import timedelta

from powerloop.kernel.clock import Clock
from powerloop.kernel.estimate import estimate_usage
from powerloop.kernel.ports.model import Deltas, ModelRequest, Models
from powerloop.kernel.usage import CallOutcome, ModelCallEntry


class Draft:
    """Passes a model's deltas on, and keeps them in case nothing else will be left of the call."""

    def __init__(self, request: ModelRequest, deltas: Deltas, clock: Clock, models: Models) -> None:
        self._request = request
        self._models = models
        self._deltas = deltas
        self._clock = clock
        self._began = clock.monotonic()
        self._text: list[str] = []
        self._characters = 0

    def text(self, delta: str) -> None:
        self._text.append(delta)
        self._characters += len(delta)
        self._deltas.text(delta)

    def reasoning(self, delta: str) -> None:
        self._characters += len(delta)
        self._deltas.reasoning(delta)

    def rewind(self) -> None:
        self._text.clear()
        self._characters = 0
        self._deltas.rewind()

    @property
    def written(self) -> str:
        """The text so far."""
        return "".join(self._text)

    def entry(self) -> ModelCallEntry:
        """What the call cost, now that it is cut off: an estimate."""
        usage = estimate_usage(self._request, self._characters)
        return ModelCallEntry(
            model=self._request.model,
            usage=usage,
            outcome=CallOutcome.CANCELLED,
            latency=timedelta(seconds=self._clock.monotonic() - self._began),
            estimated=True,
            cost=self._models.cost_of(self._request.model, usage),
        )
