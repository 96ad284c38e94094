"""Retrying: the one place where a model call is tried again. The SDKs' own retries are off."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from powerloop.kernel.clock import Clock
from powerloop.kernel.errors import EmptyAnswer, ModelDeadline, ModelError, RateLimited
from powerloop.kernel.ports.model import Deltas, Model, ModelReply, ModelRequest
from powerloop.kernel.usage import ModelCallEntry
from powerloop.llm.watched import WatchedDeltas

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often, and after what pause, a model call is tried again. The request's deadline bounds it all.

    Permanent errors are never tried again, rate limits until the deadline. Pauses have full jitter: anything
    from nothing to a ceiling that doubles each time, so that a thousand sends do not come back at once.
    """

    #: Attempts at a provider that is away or broken.
    transient_attempts: int = 7
    #: Attempts at a model that says nothing.
    empty_attempts: int = 4
    first_pause: timedelta = timedelta(milliseconds=500)
    longest_pause: timedelta = timedelta(seconds=30)

    def pause_after(self, error: ModelError, attempt: int, draw: float) -> timedelta | None:
        """How long to wait after the failure of attempt `attempt`, or `None`: give up.

        Args:
            error: Why it failed.
            attempt: From 1.
            draw: A random number from 0 to 1.
        """
        if not error.transient or attempt >= self._limit(error):
            return None
        asked = error.retry_after if isinstance(error, RateLimited) else None
        if asked is not None:
            return asked + self.first_pause * draw
        doublings = min(attempt - 1, 16)
        return min(self.longest_pause, self.first_pause * (1 << doublings)) * draw

    def _limit(self, error: ModelError) -> float:
        match error:
            case RateLimited():
                return float("inf")
            case EmptyAnswer():
                return self.empty_attempts
            case _:
                return self.transient_attempts


class Retrying:
    """Tries a call again while its policy and its deadline allow, and collects the entry of every attempt."""

    def __init__(
        self, inner: Model, clock: Clock, *, random: Callable[[], float], policy: RetryPolicy | None = None
    ) -> None:
        self._inner = inner
        self._clock = clock
        self._random = random
        self._policy = policy or RetryPolicy()

    async def respond(self, request: ModelRequest, deltas: Deltas | None = None) -> ModelReply:
        ends = self._clock.monotonic() + request.deadline.total_seconds()
        watched = WatchedDeltas(deltas) if deltas else None
        entries: tuple[ModelCallEntry, ...] = ()
        attempt = 0
        while True:
            attempt += 1
            left = timedelta(seconds=ends - self._clock.monotonic())
            try:
                reply = await self._inner.respond(replace(request, deadline=left, attempt=attempt), watched)
            except ModelError as error:
                entries = error.attempts = entries + error.attempts
                pause = self._pause(request, error, attempt, ends)
            else:
                return replace(reply, attempts=entries + reply.attempts)
            if watched and watched.characters:
                watched.rewind()
            await self._clock.sleep(pause)

    async def close(self) -> None:
        await self._inner.close()

    def _pause(self, request: ModelRequest, error: ModelError, attempt: int, ends: float) -> float:
        """Seconds to wait before the next attempt.

        Raises:
            ModelError: `error`, if the policy gives up.
            ModelDeadline: there is no time for another attempt.
        """
        pause = self._policy.pause_after(error, attempt, self._random())
        if pause is None:
            raise error
        if self._clock.monotonic() + pause.total_seconds() >= ends:
            deadline = ModelDeadline(
                f"{request.model} did not answer within {request.deadline.total_seconds():.3g} s; "
                f"the last of {attempt} attempts failed with {error.code}: {error.message}"
            )
            deadline.attempts = error.attempts
            raise deadline from error
        logger.warning(
            "model call failed, trying again",
            extra={
                "model": request.model,
                "error_code": error.code,
                "attempt": attempt,
                "pause_s": round(pause.total_seconds(), 3),
                "session_id": request.session_id,
                "send_id": request.send_id,
            },
        )
        return pause.total_seconds()
