"""Handlers: functions that take the arguments of a call as one dict."""

import inspect
from collections.abc import Callable
from typing import Any

from powerloop.kernel.errors import InvalidInput

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def handler_takes_context(handler: Callable[..., Any], label: str) -> bool:
    """Whether it is called ``handler(context, arguments)``, and not ``handler(arguments)``.

    Decided once, by the signature: a `TypeError` inside the handler is never taken for a wrong arity.

    Raises:
        InvalidInput: it takes neither.
    """
    try:
        parameters = inspect.signature(handler).parameters.values()
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"tool {label} does not tell its parameters.") from error
    needed = [item.kind for item in parameters if item.default is inspect.Parameter.empty]
    if len(needed) not in (1, 2) or any(kind not in _POSITIONAL for kind in needed):
        raise InvalidInput(
            f"tool {label} does not take (arguments) or (context, arguments).",
            hint="Write it as handler(arguments: dict) or handler(context: ToolContext, arguments: dict).",
        )
    return len(needed) == 2
