"""A tool that is given as a JSON Schema and a handler."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from powerloop.kernel.calls import Effect
from powerloop.tools.approval import ApprovalOption, make_approval
from powerloop.tools.function import FunctionTool
from powerloop.tools.handler import handler_takes_context
from powerloop.tools.schema_arguments import SchemaArguments
from powerloop.tools.signature import is_blocking, label_of, refuse_uncallable
from powerloop.tools.spec import EffectName, make_spec


def schema_tool(
    name: str,
    description: str,
    parameters: Mapping[str, Any],
    handler: Callable[..., Any],
    *,
    effect: EffectName = Effect.ONCE,
    concurrent: bool | None = None,
    timeout: timedelta | None = None,
    approval: ApprovalOption = "never",
    approval_within: timedelta | None = None,
    queue: str | None = None,
) -> FunctionTool[..., Any]:
    """Make a tool of a handler that takes its arguments as one dict: ``handler(arguments)``.

    A handler with two parameters is called ``handler(context, arguments)``. It may be async or not, as for
    `tool`, which also describes the options and what becomes of the result. `FunctionTool.probe` gives it a
    probe, which takes the same arguments as the handler.

    Args:
        name: What the model calls it.
        description: What the model is told.
        parameters: JSON Schema (draft 2020-12) of the arguments, an object. It is shown to the model as it
            stands, and the arguments are checked by it, nothing converted.
        handler: What to call.
        effect: What may be done when a crash leaves a call unfinished.
        concurrent: Whether it may run at the same time as other calls of its round.
        timeout: How long one call may take.
        approval: Whether a person must allow a call before it runs.
        approval_within: How long a person may take to answer; then the call is denied.
        queue: A Celery queue where its calls run, on workers that consume it.

    Raises:
        InvalidInput: the schema is not valid, or the handler takes neither one argument nor two, or an option
            is wrong.
    """
    refuse_uncallable(handler, label_of(handler))
    arguments = SchemaArguments(parameters, name)
    spec = make_spec(
        name,
        description,
        arguments.schema,
        effect=effect,
        concurrent=concurrent,
        timeout=timeout,
        approval=make_approval(approval, approval_within, name),
        queue=queue,
    )
    return FunctionTool(
        handler,
        spec,
        arguments,
        takes_context=handler_takes_context(handler, f"{name}: its handler"),
        blocking=is_blocking(handler),
    )
