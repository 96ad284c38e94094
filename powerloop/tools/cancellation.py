"""Telling the cancellation of a call from what its tool does by itself."""

import asyncio


def pass_on_cancel(error: BaseException) -> None:
    """Raise `CancelledError` if the current task is being cancelled, whatever its tool has made of that.

    A tool that is cut off may raise anything: from its ``finally``, out of a task group, as an error of its
    own. A `CancelledError` that it raises while nobody cancels the call is its own affair.

    Args:
        error: What the tool has raised. It is passed on itself where it is the closing of a coroutine.
    """
    if isinstance(error, GeneratorExit):
        raise error
    task = asyncio.current_task()
    if task is None or not task.cancelling():
        return
    if isinstance(error, asyncio.CancelledError):
        raise error
    raise asyncio.CancelledError from error
