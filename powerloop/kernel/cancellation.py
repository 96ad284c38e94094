"""Work that a cancellation must not cut off."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

R = TypeVar("R")


def current_task() -> "asyncio.Task[Any]":
    """The task of the caller, which must run in one."""
    task = asyncio.current_task()
    assert task is not None
    return task


async def to_its_end(work: Coroutine[Any, Any, R]) -> R:
    """The result of the work, which goes to its end though the caller be cancelled meanwhile.

    A cancellation that comes while it goes on has come too late, and is forgotten: what follows from a commit
    must be done once the commit may have taken place.
    """
    result, cancellations = await _complete(work)
    for _ in range(cancellations):
        current_task().uncancel()
    return result


async def uninterrupted(work: Coroutine[Any, Any, R]) -> R:
    """The result of the work, which goes to its end before a cancellation of the caller takes effect.

    Whoever deals with the cancellation then finds no write still under way.
    """
    result, cancellations = await _complete(work)
    if cancellations:
        raise asyncio.CancelledError
    return result


async def _complete(work: Coroutine[Any, Any, R]) -> tuple[R, int]:
    """The result of the work, and how often the caller was cancelled meanwhile.

    Where the work fails nothing follows from it: then the cancellation takes effect, and not the error.
    """
    task = asyncio.create_task(work)
    cancellations = 0
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError:
            cancellations += 1
    if cancellations and not task.cancelled() and (error := task.exception()):
        raise asyncio.CancelledError from error
    return task.result(), cancellations
