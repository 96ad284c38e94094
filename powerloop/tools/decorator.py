"""The decorator that makes a tool of a function."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, overload

from powerloop.kernel.calls import Effect
from powerloop.kernel.errors import InvalidInput
from powerloop.tools.approval import ApprovalOption, make_approval
from powerloop.tools.function import FunctionTool, P, R_co
from powerloop.tools.signature import label_of, read_signature
from powerloop.tools.spec import EffectName, make_spec
from powerloop.tools.typed_arguments import TypedArguments


@overload
def tool(
    function: Callable[P, R_co],
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    effect: EffectName = Effect.ONCE,
    concurrent: bool | None = None,
    timeout: timedelta | None = None,
    approval: ApprovalOption = "never",
    approval_within: timedelta | None = None,
    queue: str | None = None,
) -> FunctionTool[P, R_co]: ...


@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    effect: EffectName = Effect.ONCE,
    concurrent: bool | None = None,
    timeout: timedelta | None = None,
    approval: ApprovalOption = "never",
    approval_within: timedelta | None = None,
    queue: str | None = None,
) -> Callable[[Callable[P, R_co]], FunctionTool[P, R_co]]: ...


def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    effect: EffectName = Effect.ONCE,
    concurrent: bool | None = None,
    timeout: timedelta | None = None,
    approval: ApprovalOption = "never",
    approval_within: timedelta | None = None,
    queue: str | None = None,
) -> object:
    """Make a tool of a function: ``@tool``, ``@tool(effect="read")`` or ``tool(instance.method)``.

    The parameters' annotations become the schema of the arguments, and what they are checked by before
    anything runs. The docstring describes the tool and, in its ``Args:`` (Google, NumPy or reST), the
    parameters. A first parameter annotated `ToolContext` is given the context of the call. An async function
    runs on the event loop, any other in a thread. The model sees the result as text: a string as it is, all
    else as JSON.

    Args:
        function: What to call.
        name: What the model calls it; the function's name by default.
        description: What the model is told; the docstring without its sections by default.
        effect: What may be done when a crash leaves a call unfinished. By default `Effect.ONCE`, which is
            safe for a tool of which nothing is known: to run it again by mistake may charge a card twice, not
            to run it again costs a question. Say ``"read"`` wherever it is true, and give a tool that stays
            `Effect.ONCE` a probe: see `FunctionTool.probe`.
        concurrent: Whether it may run at the same time as other calls of its round. By default it may, unless
            its effect is `Effect.ONCE`.
        timeout: How long one call may take, not counting the wait for a thread. By default as long as it
            likes.
        approval: Whether a person must allow a call before it runs: ``"never"``, ``"always"``, or a function
            that says it of each call. The function takes the arguments as one dict, or a `ToolContext` and
            them, and returns `True`, `False` or what the person is to be asked; it may be async. Where it
            raises, a person is asked. Nobody is asked of arguments that do not fit.
        approval_within: How long a person may take to answer; then the call is denied. By default for ever.
        queue: A Celery queue where its calls run, as ``powerloop.tool`` tasks, on workers that consume it
            (``powerloop worker --queues browser``; a worker that names no queues consumes all): for tools
            that need a machine, a program or a process pool of their own. The send waits for them without a
            slot. ``timeout`` counts from when the call begins there. By default they run in the process that
            runs the send, as all do in `AsyncPowerLoop.local`.

    Raises:
        InvalidInput: the function is not one that a model can call, or an option is wrong.
    """

    def make(inner: Callable[P, R_co]) -> FunctionTool[P, R_co]:
        if isinstance(inner, FunctionTool):
            raise InvalidInput(f"tool {inner.spec.name} is a tool already.", hint="Decorate it once.")
        signature = read_signature(inner)
        arguments = TypedArguments(signature.parameters, label_of(inner))
        label = signature.name if name is None else name
        spec = make_spec(
            label,
            signature.description if description is None else description,
            arguments.schema,
            effect=effect,
            concurrent=concurrent,
            timeout=timeout,
            approval=make_approval(approval, approval_within, label),
            queue=queue,
        )
        return FunctionTool(
            inner,
            spec,
            arguments,
            parameters=signature.parameters,
            takes_context=signature.takes_context,
            blocking=signature.blocking,
        )

    return make if function is None else make(function)
