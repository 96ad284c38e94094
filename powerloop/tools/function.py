"""A tool that is a function: its spec, its check, its probe, and how its function is run."""

import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, ParamSpec, TypeVar

from powerloop.kernel.agents import Agent
from powerloop.kernel.calls import Finding
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.tools import ToolContext, ToolSpec
from powerloop.kernel.waits import Wait
from powerloop.tools.arguments import Arguments, Bound, by_name
from powerloop.tools.probe import Probe, make_probe
from powerloop.tools.results import as_result
from powerloop.tools.routine import Routine
from powerloop.tools.signature import Parameter
from powerloop.tools.threads import ToolThreads

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
ProbeT = TypeVar("ProbeT", bound=Callable[..., Finding | Awaitable[Finding]])


class FunctionTool(Generic[P, R_co]):
    """A function that an agent can call, and you as before. Made by `tool` and `schema_tool`."""

    def __init__(
        self,
        function: Callable[P, R_co],
        spec: ToolSpec,
        arguments: Arguments,
        *,
        takes_context: bool,
        blocking: bool,
        parameters: Sequence[Parameter] | None = None,
        agents: Sequence[Agent] = (),
    ) -> None:
        functools.update_wrapper(self, function, updated=())
        self._function = function
        self._spec = spec
        self._arguments = arguments
        self._parameters = parameters
        self._agents = tuple(agents)
        self._routine = Routine(
            function=function, takes_context=takes_context, blocking=blocking, conclude=as_result
        )
        self._probe: Probe | None = None
        # For calls without a toolbox; no thread exists until there is one.
        self._threads = ToolThreads()

    @property
    def spec(self) -> ToolSpec:
        return self._spec

    @property
    def routine(self) -> Routine[str | Wait]:
        """How the function is run; its result is text, or what the call waits for."""
        return self._routine

    @property
    def agents(self) -> tuple[Agent, ...]:
        """The agents that calls may start, and that a process which runs this tool has to know."""
        return self._agents

    @property
    def probed_by(self) -> Probe | None:
        """What finds out what became of a call, if anything does."""
        return self._probe

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function itself: no check, no thread, no conversion."""
        return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<FunctionTool {self._spec.name}>"

    def probe(self, function: ProbeT) -> ProbeT:
        """Say how to find out whether a call took effect whose process died: ``@charge.probe``.

        The function takes a `ToolContext` first, if it needs the call's ids or its idempotency key, and those
        of the tool's parameters that it needs, by their names (a `schema_tool`'s takes the arguments as one
        dict). It may be async or not. It returns a `Finding`: ``Finding.done("what the model shall see")``;
        ``Finding.not_done()``, and the tool is run; ``Finding.unknown()``, and a person is asked. A person is
        asked also where it raises, or takes longer than the tool may (30 s where the tool may take forever).

        Without a probe, a person is always asked.

        Args:
            function: What to ask. It is returned as it is.

        Raises:
            InvalidInput: the tool's effect is not `Effect.ONCE`, it has a probe already, or the function
                takes what is no argument of the tool.
        """
        if self._probe is not None:
            raise InvalidInput(
                f"tool {self._spec.name}: it has a probe already.",
                hint="Ask all that there is in one.",
            )
        self._probe = make_probe(function, self._spec, self._parameters)
        return function

    def check(self, arguments: Mapping[str, Any]) -> Bound:
        """The arguments as the function takes them.

        Raises:
            ToolArgumentsInvalid: they do not fit.
        """
        return self._arguments.check(arguments)

    def named(self, bound: Bound) -> dict[str, Any]:
        """The arguments that `check` made, by their names."""
        return dict(bound.args[0]) if self._parameters is None else by_name(bound, self._parameters)

    async def call(self, context: ToolContext[Any], arguments: Mapping[str, Any]) -> str | Wait:
        """Check the arguments, run the function and return its result as text, or what the call waits for.

        A toolbox has threads that the blocking functions of all tools share; here they are the tool's own.
        What the function raises is raised.
        """
        return await self._routine.run(context, self.check(arguments), self._threads)
