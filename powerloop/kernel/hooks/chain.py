"""The chain: asking one hook after another, whatever a hook may do."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import TypeVar

from powerloop.kernel.cancellation import current_task
from powerloop.kernel.errors import HookFailed, HookVeto
from powerloop.kernel.hooks.decisions import Veto
from powerloop.kernel.hooks.hook import Hook
from powerloop.kernel.hooks.stages import Stage

logger = logging.getLogger("powerloop.hooks")

V = TypeVar("V")


class Chain:
    """Hooks in their order.

    Args:
        hooks: In the order in which they are asked; stages that look back ask them in reverse.
        log_fields: What names the send, as extra fields of a log record.
    """

    def __init__(self, hooks: Iterable[Hook], log_fields: Mapping[str, object]) -> None:
        self._hooks = tuple(hooks)
        self._log_fields = log_fields

    def at(self, stage: Stage) -> tuple[Hook, ...]:
        """The hooks that have something to say at the stage, in the order in which they are asked."""
        hooks = self._hooks if stage.is_inward else reversed(self._hooks)
        return tuple(hook for hook in hooks if stage in hook.stages)

    async def ask(
        self,
        stage: Stage,
        value: V,
        put: Callable[[Hook, V], Awaitable[object]],
        change: Callable[[V, object], V],
        is_settled: Callable[[V], bool] = lambda _: False,
    ) -> V:
        """The value as the hooks leave it: each is given what the one before it made of it.

        Args:
            stage: Where they are asked.
            value: What it is about.
            put: How one hook is asked.
            change: What a decision makes of the value. It raises where the decision cannot be one here: the
                hook has failed then.
            is_settled: Whether it is settled, so that hooks that come later are not asked.

        Raises:
            HookVeto: a hook vetoed; hooks that come later were not asked.
            HookFailed: a guard failed; hooks that come later were not asked.
        """
        for hook in self.at(stage):
            answer = await self._answer(hook, stage, value, put, change)
            if isinstance(answer, Veto):
                logger.info("hook vetoed", extra=self._named(hook, stage))
                raise HookVeto(hook.name, stage, answer.reason)
            value = answer
            if is_settled(value):
                break
        return value

    async def tell(self, stage: Stage, put: Callable[[Hook], Awaitable[object]]) -> None:
        """Ask every hook, where it is too late to decide anything: what comes of it is not heeded."""
        for hook in self.at(stage):
            with suppress(HookFailed):
                await self._answer(hook, stage, None, lambda told, _: put(told), lambda _, __: None)

    async def _answer(
        self,
        hook: Hook,
        stage: Stage,
        value: V,
        put: Callable[[Hook, V], Awaitable[object]],
        change: Callable[[V, object], V],
    ) -> V | Veto:
        """The value as the hook leaves it, or its veto. Where a hook fails that is no guard: the value."""
        cancellations = current_task().cancelling()
        try:
            answer = _applied(await _within_time(hook, put(hook, value)), value, change)
        except BaseException as error:
            # A hook must end neither a send nor its worker.
            _pass_on_cancel(cancellations, error)
            fields = {**self._named(hook, stage), "guard": hook.guard}
            logger.warning("hook failed", extra=fields, exc_info=error)
            if hook.guard:
                raise HookFailed(hook.name, stage, _described(error)) from error
            return value
        _pass_on_cancel(cancellations)
        return answer

    def _named(self, hook: Hook, stage: Stage) -> dict[str, object]:
        return {**self._log_fields, "hook": hook.name, "stage": stage.value}


def _applied(decision: object, value: V, change: Callable[[V, object], V]) -> V | Veto:
    match decision:
        case None:
            return value
        case Veto():
            return decision
        case _:
            return change(value, decision)


async def _within_time(hook: Hook, asked: Awaitable[object]) -> object:
    seconds = hook.timeout.total_seconds()
    async with asyncio.timeout(seconds) as limit:
        decision = await asked
    if limit.expired():
        # It has heeded the end of its time by answering after all.
        raise TimeoutError
    return decision


def _pass_on_cancel(cancellations: int, error: BaseException | None = None) -> None:
    """Raise `CancelledError` if the task was cancelled meanwhile, whatever the hook has made of that.

    A `CancelledError` that a hook raises while nobody cancels the task is its own affair.
    """
    if isinstance(error, GeneratorExit):
        raise error
    if current_task().cancelling() > cancellations:
        raise asyncio.CancelledError from error


def _described(error: BaseException) -> str:
    message = str(error)
    return f"it raised {type(error).__name__}: {message}" if message else f"it raised {type(error).__name__}"
